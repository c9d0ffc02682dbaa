//! The forms in which the same program can be loaded: `mode` of `programs/lib/mode.h`.

use libbpf_rs::OpenObject;
use zerocopy::{Immutable, IntoBytes};

/// The section of the constants.
const SECTION: &str = ".rodata.mode";

/// The constants, in the layout of the programs. By default the program writes records of all
/// rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Mode {
    text: u32,
    asks: u32,
}

impl Mode {
    /// The form that answers a question.
    pub(crate) const ASKING: Mode = Mode { text: 0, asks: 1 };

    /// The form that prints its rows, and answers a question if it has one.
    pub(crate) fn text(asks: bool) -> Mode {
        Mode {
            text: 1,
            asks: asks.into(),
        }
    }

    /// Whether the program answers a question.
    pub(crate) fn asks(self) -> bool {
        self.asks != 0
    }

    /// Sets the form of an object; false if the object has no forms.
    pub(crate) fn set(self, object: &mut OpenObject) -> bool {
        let bytes = self.as_bytes();
        let mut maps = object.maps_mut();
        let Some(mut map) = maps.find(|map| map.name() == SECTION) else {
            return false;
        };
        let value = map.initial_value_mut();
        let value = value.and_then(|value| value.get_mut(..bytes.len()));
        value.map(|value| value.copy_from_slice(bytes)).is_some()
    }
}

/// Whether the programs of an object have these forms.
pub(crate) fn has_forms(object: &OpenObject) -> bool {
    object.maps().any(|map| map.name() == SECTION)
}
