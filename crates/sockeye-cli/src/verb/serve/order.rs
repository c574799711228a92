//! What is to be served where, as the line of `serve` or a config file says it.

use sockeye::proto::address::Address;
use sockeye::proto::shape::Shape;
use sockeye::proto::suggest::nearest;
use sockeye::{Carries, Given, May, ServiceRow};
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
    /// What the flags of the service are set to.
    pub(crate) given: Given,
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
        let mut given = Given::default();
        for flag in row.flags {
            group.values(flag.name).for_each(|value| given.set(flag, value));
        }
        let read = |word: &Word| {
            Self::framed(sockeye::parse_listener(&word.text, &word.beside)?, row.carries.frame(&given))
        };
        let addresses = group.words.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { row, addresses, given, shown: shown || group.has(&flag::SHOW) })
    }

    /// All services that do no harm to this machine, whoever asks, each on the loopback port that is its own.
    pub(super) fn harmless() -> Result<Vec<Self>, Failure> {
        SERVICES.iter().filter(|row| row.may == May::Answer).map(|row| Self::on_its_own_port(row)).collect()
    }

    fn on_its_own_port(row: &'static ServiceRow) -> Result<Self, Failure> {
        let scheme = match row.carries {
            Carries::Datagrams { .. } => "udp",
            Carries::Either | Carries::Given(_) | Carries::Messages { .. } => "tcp",
        };
        let (address, given) =
            (sockeye::parse_listener(&format!("{scheme}:{}", row.port), &[])?, Given::default());
        let address = Self::framed(address, row.carries.frame(&given))?;
        Ok(Self { row, addresses: vec![address], given, shown: true })
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

    /// Puts the frame on that a service wants, where the address gives bytes and says nothing itself.
    pub(crate) fn framed(mut address: Address, frame: Option<&str>) -> Result<Address, Failure> {
        if let (Some(frame), Shape::Bytes) = (frame, address.shape()) {
            address.insert(frame, sockeye::vocabulary())?;
        }
        Ok(address)
    }
}
