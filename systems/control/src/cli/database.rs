//! How the database of collectors is named on the command line.

use std::path::PathBuf;

use crate::collect::Database;

#[derive(clap::Args, Debug)]
pub(super) struct DatabaseArgs {
    /// The database that collectors share, such as postgres://collector@/gateward?host=/run/postgresql
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// A file with the password for it, which only we can read
    #[arg(long, value_name = "FILE", requires = "postgres")]
    postgres_password: Option<PathBuf>,
    /// Who vouches for it, PEM; required where it is on another machine
    #[arg(long, value_name = "FILE", requires = "postgres")]
    postgres_ca: Option<PathBuf>,
}

impl DatabaseArgs {
    /// Returns the database, where one was named.
    pub(super) fn database(self) -> Option<Database> {
        let Self { postgres, postgres_password: password, postgres_ca: ca } = self;

        postgres.map(|url| Database { url, password, ca })
    }
}
