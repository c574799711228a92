//! The rows that addresses are made of: every scheme and layer of ours, and those that a program adds.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use sockeye_proto::address::{Address, Role, Vocabulary};

use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::layer::{self, Layer, Wrap};
use crate::option;
use crate::scheme::{self, Scheme};

/// The schemes and layers that there are. The default has all of ours. Cloning is cheap.
///
/// What is added has the options of its own row, and those that every address has, such as `connect=` and `idle=`.
#[derive(Debug, Clone)]
pub struct Rows(Arc<Tables>);

#[derive(Debug, Clone)]
struct Tables {
    schemes: Vec<&'static Scheme>,
    layers: Vec<&'static Layer>,
    vocabulary: Vocabulary,
}

/// Our own.
pub(crate) static OURS: LazyLock<Rows> = LazyLock::new(|| {
    let (schemes, layers) = (scheme::ALL.to_vec(), layer::ALL.to_vec());
    let vocabulary = Vocabulary {
        schemes: schemes.iter().map(|row| &row.grammar).collect(),
        layers: layers.iter().map(|row| &row.grammar).collect(),
        stacks: layer::STACKS.to_vec(),
        options: option::options().map(|row| &row.grammar).collect(),
    };
    Rows(Arc::new(Tables { schemes, layers, vocabulary }))
});

impl Default for Rows {
    fn default() -> Self {
        OURS.clone()
    }
}

impl Rows {
    /// Adds a scheme; it takes the place of one that has its name.
    #[must_use]
    pub fn with_scheme(mut self, row: &'static Scheme) -> Self {
        let tables = Arc::make_mut(&mut self.0);
        tables.schemes.insert(0, row);
        tables.vocabulary.schemes.insert(0, &row.grammar);
        self
    }

    /// Adds a layer; it takes the place of one that has its name.
    #[must_use]
    pub fn with_layer(mut self, row: &'static Layer) -> Self {
        let tables = Arc::make_mut(&mut self.0);
        tables.layers.insert(0, row);
        tables.vocabulary.layers.insert(0, &row.grammar);
        self
    }

    /// How addresses are written that are made of these.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.0.vocabulary
    }

    /// The row of an address's scheme.
    ///
    /// # Errors
    /// The address was read against other rows.
    pub fn scheme(&self, address: &Address) -> Result<&'static Scheme> {
        let grammar = address.scheme();
        let row = self.0.schemes.iter().find(|row| row.grammar.name == grammar.name);
        row.copied().ok_or_else(|| foreign(address, grammar.name))
    }

    /// What puts the layers of an address on, innermost first.
    pub(crate) fn prepare(&self, address: &Address, ctx: &Ctx) -> Result<Vec<Arc<dyn Wrap>>> {
        self.prepare_layers(address, 0..address.layers().len(), ctx)
    }

    /// The same of those at `places` in [`Address::layers`].
    pub(crate) fn prepare_layers(
        &self,
        address: &Address,
        places: Range<usize>,
        ctx: &Ctx,
    ) -> Result<Vec<Arc<dyn Wrap>>> {
        let wrap = |(place, layer): (usize, &sockeye_proto::address::Layer)| {
            let name = layer.grammar().name;
            let row = self.0.layers.iter().find(|row| row.grammar.name == name);
            (row.ok_or_else(|| foreign(address, name))?.prepare)(address, place, ctx)
        };
        let layers = address.layers().iter().enumerate();
        layers.skip(places.start).take(places.len()).rev().map(wrap).collect()
    }
}

fn foreign(address: &Address, name: &'static str) -> Error {
    let op = if address.role() == Role::Dial { Op::Dial } else { Op::Listen };
    Error::new(op, Cause::NoRow(name)).on(address.bare_word())
}
