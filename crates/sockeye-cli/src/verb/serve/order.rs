//! What is to be served where, as the line of `serve` or a config file says it.

use sockeye::proto::address::Address;
use sockeye::proto::shape::Shape;
use sockeye::proto::suggest::nearest;
use sockeye::{Carries, ServiceRow};
use sockeye_services::ALL as SERVICES;

use crate::args::{Group, Word};
use crate::failure::Failure;
use crate::flag;

/// A service, where it is to listen, and what its flags are set to.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) row: &'static ServiceRow,
    /// At least one.
    pub(crate) addresses: Vec<Address>,
    /// In the order of the row's flags.
    pub(crate) values: Vec<Option<String>>,
    /// Whether its messages are shown.
    pub(crate) shown: bool,
}

impl Order {
    /// The order that a group of the line is.
    pub(super) fn read(group: &Group, shown: bool) -> Result<Self, Failure> {
        let name = group.service.as_deref().unwrap_or_default();
        let row =
            Self::row(name).map_err(|hint| Failure::usage(format!("there is no service {name:?}"), hint))?;
        if group.words.is_empty() {
            let hint = format!("say where: sockeye serve {name} tcp:{}", row.port);
            return Err(Failure::usage(format!("{name}: expected an address"), hint));
        }
        let read =
            |word: &Word| Self::framed(sockeye::parse_listener(&word.text, &word.beside)?, row.carries);
        let addresses = group.words.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let values = row.flags.iter().map(|flag| group.value(flag.name).map(str::to_owned)).collect();
        Ok(Self { row, addresses, values, shown: shown || group.has(&flag::SHOW) })
    }

    /// The service on the loopback port that is its own.
    pub(super) fn on_its_own_port(row: &'static ServiceRow) -> Result<Self, Failure> {
        let address = Self::framed(sockeye::parse_listener(&format!("tcp:{}", row.port), &[])?, row.carries)?;
        Ok(Self { row, addresses: vec![address], values: vec![None; row.flags.len()], shown: true })
    }

    /// The service of that name, or what to try instead.
    pub(crate) fn row(name: &str) -> Result<&'static ServiceRow, String> {
        SERVICES.iter().find(|row| row.name == name).copied().ok_or_else(|| {
            match nearest(name, SERVICES.iter().map(|row| row.name)) {
                Some(near) => format!("did you mean {near}?"),
                None => {
                    format!(
                        "there are {}",
                        SERVICES.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
                    )
                }
            }
        })
    }

    /// Puts the frame on that the service wants, where the address gives bytes and says nothing itself.
    pub(crate) fn framed(mut address: Address, carries: Carries) -> Result<Address, Failure> {
        if let (Carries::Messages { frame }, Shape::Bytes) = (carries, address.shape()) {
            address.insert(frame, sockeye::vocabulary())?;
        }
        Ok(address)
    }
}
