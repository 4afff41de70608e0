//! What a call came to.

use gateward_core::snapshot::Refused;

/// What a call came to. The numbers never change their meaning; new ones are added at the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Status(pub u32);

impl Status {
    /// The call did what it was asked.
    pub const OK: Self = Self(0);
    /// A pointer was null.
    pub const NULL: Self = Self(1);
    /// A length was impossible.
    pub const LENGTH: Self = Self(2);
    /// The bytes are in a format, or need a feature, that this build does not have.
    pub const FORMAT: Self = Self(3);
    /// The bytes are not one whole snapshot of good shape.
    pub const SHAPE: Self = Self(4);
    /// The text is not that of a token.
    pub const TOKEN: Self = Self(5);
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Length => Self::LENGTH,
            Refused::UnknownFeature | Refused::UnknownFormat | Refused::UnknownStatus => {
                Self::FORMAT
            }
            Refused::Counts
            | Refused::Directory
            | Refused::Extension
            | Refused::Name
            | Refused::Order
            | Refused::OtherAccount
            | Refused::Reference
            | Refused::Reserved
            | Refused::Root
            | Refused::Scope => Self::SHAPE,
        }
    }
}

impl From<Result<(), Self>> for Status {
    fn from(outcome: Result<(), Self>) -> Self {
        outcome.err().unwrap_or(Self::OK)
    }
}
