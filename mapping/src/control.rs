//! The control file, which has two forms.

/// A form of the control file.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Control {
    /// `ctl`, which takes commands.
    Text,
    /// `ctl.json`, which is read-only.
    Json,
}

impl Control {
    /// Both forms of the control file.
    pub const ALL: [Control; 2] = [Control::Text, Control::Json];

    /// The name of the file in the root of the mount.
    pub const fn name(self) -> &'static str {
        match self {
            Control::Text => "ctl",
            Control::Json => "ctl.json",
        }
    }
}
