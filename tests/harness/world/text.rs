//! A world as the text of `policy.toml`.

use std::fmt::Write as _;

use gateward_core::name::Hex;
use gateward_core::token::{Context, Lookup};

use super::{EVERYTHING, Held, Person, World, secret};

impl World {
    /// Returns the text of `policy.toml`.
    #[must_use]
    pub fn toml(&self) -> String {
        let mut toml = String::new();
        self.write(&mut toml).expect("writing into a string cannot fail");

        toml
    }

    fn write(&self, toml: &mut String) -> std::fmt::Result {
        let status = if self.suspended { "suspended" } else { "active" };
        writeln!(
            toml,
            "[account]\nid = \"{}\"\nname = \"Acme\"\nstatus = \"{status}\"",
            self.account
        )?;
        for name in &self.divisions {
            let id = self.division(name);
            writeln!(toml, "[[divisions]]\nid = \"{id}\"\nname = {}", text(name))?;
        }
        writeln!(toml, "[[groups]]\nid = \"{EVERYTHING}\"\ngateways = [\"edge\"]")?;
        for (group, divisions) in &self.groups {
            writeln!(toml, "[[groups]]\nid = {}\ngateways = []", text(group))?;
            writeln!(toml, "divisions = {}", list(divisions))?;
        }
        for (role, permissions) in &self.roles {
            writeln!(toml, "[[roles]]\nid = {}\npermissions = {}", text(role), list(permissions))?;
        }
        for (id, division) in &self.profiles {
            writeln!(toml, "[[resources]]\nkind = \"enrollment_profile\"\nid = \"IOT_{id}\"")?;
            if let Some(division) = division {
                writeln!(toml, "division = {}", text(division))?;
            }
        }
        self.people.iter().try_for_each(|person| write_person(toml, person))?;
        self.tokens.iter().try_for_each(|held| self.write_token(toml, held))?;

        toml.write_str(&self.more)
    }

    fn write_token(&self, toml: &mut String, held: &Held) -> std::fmt::Result {
        let (owner, kind) = self.owner(held);
        let word = if owner.service { "service_token" } else { "api_token" };
        let lookup = Lookup { kind: kind as u8, id: held.number };
        let verifier = Context::new(&self.account.0).verifier(held.number, &secret(held.number));
        writeln!(toml, "[[tokens]]\nkind = \"{word}\"\nowner_id = \"{}\"", owner.id)?;
        writeln!(toml, "name = {}\nlookup = \"{lookup}\"", text(&held.name))?;
        writeln!(toml, "verifier = \"{}\"\nstatus = \"{}\"", Hex(&verifier), held.status)?;

        end_date(toml, held.end.as_deref())
    }
}

fn write_person(toml: &mut String, person: &Person) -> std::fmt::Result {
    let (section, name, grants) = if person.service {
        ("service_users", "friendly_name", "permissions")
    } else {
        ("users", "username", "roles")
    };
    writeln!(toml, "[[{section}]]\n{name} = {}\nid = \"{}\"", text(&person.name), person.id)?;
    writeln!(toml, "{grants} = {}\nstatus = \"{}\"", list(&person.grants), person.status)?;
    writeln!(toml, "iot_access = {}", person.iot_access)?;
    if person.system {
        writeln!(toml, "access_scope = \"system\"")?;
    }
    if let Some(divisions) = &person.divisions {
        writeln!(toml, "divisions = {}", list(divisions))?;
    }
    if let Some(creator) = &person.created_by {
        writeln!(toml, "created_by = {}", text(creator))?;
    }

    end_date(toml, person.end.as_deref())
}

fn end_date(toml: &mut String, end: Option<&str>) -> std::fmt::Result {
    end.map_or(Ok(()), |end| writeln!(toml, "end_date = {end}"))
}

/// Writes a text in quotation marks: TOML reads every string of JSON.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}
