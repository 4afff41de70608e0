//! Who there is: added and given tokens as an account manager does it.

use anyhow::Result;
use gateward_control::accounts::{
    Accounts, Issued, Kind, NewServiceUser, NewToken, NewUser, Refused, TokenRef, Where,
};
use gateward_control::policy::TokenStatus;

use crate::control::Control;

/// An administrator of everything.
pub(crate) const ANA: &str = "ana.ruiz";
/// An administrator of one division.
const BO: &str = "bo.lund";
/// A system user.
const ROOT: &str = "ops.root";
/// A service user.
pub(crate) const MES: &str = "MES sync";

/// The tokens of everybody.
#[derive(Debug)]
pub(crate) struct People {
    /// API token of an administrator of everything.
    pub(crate) ana: Issued,
    /// Another one of hers, which will be disabled.
    pub(crate) lost: Issued,
    /// API token of an administrator of `plant-7`.
    pub(crate) bo: Issued,
    /// API token of a system user with the built-in role.
    pub(crate) root: Issued,
    /// Token of a service user that manages devices.
    pub(crate) mes: Issued,
}

impl People {
    /// Adds everybody to the policy.
    pub(crate) fn add(control: &Control) -> Result<Self> {
        let plant_7 = || Where::Only(vec!["plant-7".to_owned()]);
        let user = |username: &str, role: &str| NewUser {
            username: username.to_owned(),
            roles: vec![role.to_owned()],
            ..NewUser::default()
        };

        control.change(|accounts| {
            accounts.add_user(&user(ANA, "iot_account_admin"))?;
            accounts
                .add_user(&NewUser { divisions: plant_7(), ..user(BO, "iot_account_admin") })?;
            accounts.add_user(&NewUser { system: true, ..user(ROOT, "iot_system_admin") })?;
            accounts.add_service_user(&NewServiceUser {
                friendly_name: MES.to_owned(),
                permissions: vec!["manage_device".to_owned()],
                divisions: plant_7(),
                end: None,
            })?;

            Ok(Self {
                ana: token(accounts, Kind::User, ANA, "line 3 plc")?,
                lost: token(accounts, Kind::User, ANA, "lost laptop")?,
                bo: token(accounts, Kind::User, BO, "first")?,
                root: token(accounts, Kind::User, ROOT, "first")?,
                mes: token(accounts, Kind::ServiceUser, MES, "first")?,
            })
        })
    }

    /// Disables the token that was lost.
    pub(crate) fn disable_lost(&self, control: &Control) -> Result<()> {
        let lost = TokenRef::Lookup(self.lost.lookup.to_string());
        control.change(|accounts| accounts.set_token_status(&lost, TokenStatus::Disabled))?;

        Ok(())
    }

    /// Makes another token of the service user.
    pub(crate) fn another(control: &Control) -> Result<Issued> {
        control.change(|accounts| token(accounts, Kind::ServiceUser, MES, "second"))
    }
}

fn token(accounts: &mut Accounts, kind: Kind, owner: &str, name: &str) -> Result<Issued, Refused> {
    let (owner, name) = (owner.to_owned(), name.to_owned());

    accounts.new_token(&NewToken { kind, owner, name, end: None })
}
