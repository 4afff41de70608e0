//! How a program ends; scripts rely on these numbers (INTERFACES section 4).

use std::process::{ExitCode, Termination};

/// The end of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Yes, or done.
    Success = 0,
    /// A clean no: refused, different.
    No = 1,
    /// The command was called wrongly.
    Usage = 2,
    /// Bad data: mistakes in the policy, a signature, a format.
    Data = 65,
    /// The broker cannot be reached.
    Unavailable = 69,
    /// A mistake of the program.
    Internal = 70,
    /// Input or output failed.
    InputOutput = 74,
    /// Not now: somebody else is at work on the folder.
    NotNow = 75,
    /// The system refuses permission.
    Permission = 77,
}

impl Exit {
    /// Returns the end that an input or output error calls for.
    #[must_use]
    pub fn of_io(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            Self::Permission
        } else {
            Self::InputOutput
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}
