//! What is decided: N API tokens of N/10 administrators and N/10 service users with one token
//! each, 18 permissions in 64 roles, 1 to 4 of 64 divisions, names of about 24 bytes.
//!
//! Half of the requests are allowed; the rest are refused in equal parts for the permission, for
//! the division, as unknown, as expired and as disabled.

use super::draw::Draw;
use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::{PrincipalKind, TokenKind};
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry};
use gateward_core::time::{End, UnixSeconds};
use gateward_core::token::{self, Context, Secret};

/// The moment of every decision.
pub const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
/// Divisions of the account.
pub const DIVISIONS: usize = 64;
/// What requests ask to read, by bit and id: permissions that depend on the division and that no
/// wider one includes, so that an engine that knows only sets answers the same.
pub const ASKED: [(u8, &str); 9] = [
    (0, "manage_alerts"),
    (1, "manage_division"),
    (7, "manage_device"),
    (8, "manage_device_profile"),
    (10, "manage_certificate"),
    (12, "manage_certificate_profile"),
    (13, "manage_enrollment_profile"),
    (14, "manage_external_cas"),
    (15, "manage_iot_ca"),
];

/// The 18 permissions that are held.
const HELD: u64 = 0x3_ffff;
const ROLES: usize = 64;
const PAST: End = End(1_700_000_000);

/// An account.
pub struct World {
    pub contents: Contents,
    credentials: Vec<Credential>,
}

struct Credential {
    kind: TokenKind,
    id: u64,
    secret: Secret,
}

/// What one request asks, and what is right.
pub struct Request {
    pub text: [u8; token::TEXT_LEN],
    /// Place in [`ASKED`].
    pub permission: usize,
    pub division: usize,
    pub expected: Expected,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expected {
    Allowed,
    Disabled,
    Expired,
    OtherDivision,
    PermissionMissing,
    Unknown,
}

const REFUSED: [Expected; 5] = [
    Expected::PermissionMissing,
    Expected::OtherDivision,
    Expected::Unknown,
    Expected::Expired,
    Expected::Disabled,
];

impl World {
    pub fn new(api_tokens: usize) -> Self {
        let account = Uuid([7; 16]);
        let context = Context::new(&account.0);
        let mut draw = Draw(1);
        let roles: Vec<_> = (0..ROLES).map(|_| role(&mut draw)).collect();
        let mut contents = Contents { account, ..Contents::default() };
        contents.divisions = (0..DIVISIONS).map(|at| (uuid(at), division(at))).collect();
        let admins = api_tokens / 10;
        for at in 0..2 * admins {
            let role = roles[below(&mut draw, ROLES)];
            contents.principals.insert(key(at), principal(at, at >= admins, role, &mut draw));
        }
        let mut credentials = Vec::new();
        for at in 0..api_tokens + admins {
            let service = at >= api_tokens;
            let owner = if service { admins + at - api_tokens } else { at % admins };
            let (id, secret) = (draw.next(), secret(&mut draw));
            let entry = TokenEntry {
                principal: key(owner),
                disabled: below(&mut draw, 20) == 0,
                end: if below(&mut draw, 10) == 0 { PAST } else { End::NEVER },
                verifier: context.verifier(id, &secret),
            };
            contents.tokens.insert(id, entry);
            let kind = if service { TokenKind::Service } else { TokenKind::Api };
            credentials.push(Credential { kind, id, secret });
        }

        Self { contents, credentials }
    }

    /// Returns `count` requests with tokens in no order.
    pub fn requests(&self, count: usize) -> Vec<Request> {
        let mut draw = Draw(99);
        let refused = REFUSED.into_iter().cycle();
        let expected = refused.flat_map(|refused| [Expected::Allowed, refused]).take(count);

        expected.map(|expected| self.request(expected, &mut draw)).collect()
    }

    /// Draws until a token and a question fit `expected`.
    fn request(&self, expected: Expected, draw: &mut Draw) -> Request {
        loop {
            let Credential { kind, id, secret } =
                &self.credentials[below(draw, self.credentials.len())];
            let (permission, division) = (below(draw, ASKED.len()), below(draw, DIVISIONS));
            let division = self.often_held(*id, division, draw);
            if self.outcome(*id, permission, division) == Some(expected) {
                let text = token::write(*kind, *id, secret);
                return Request { text, permission, division, expected };
            }
            if expected == Expected::Unknown {
                let text = token::write(*kind, draw.next(), secret);
                return Request { text, permission, division, expected };
            }
        }
    }

    /// Returns a division of the owner three times out of four.
    fn often_held(&self, id: u64, division: usize, draw: &mut Draw) -> usize {
        let owner = &self.contents.principals[&self.contents.tokens[&id].principal];
        match &owner.scope {
            Scope::Only(held) if below(draw, 4) > 0 => {
                let held = held.iter().nth(below(draw, held.len()));
                held.map_or(division, |held| place(*held))
            }
            Scope::Only(_) | Scope::All => division,
        }
    }

    /// Returns what is right for a token that is here; none where several reasons refuse it, of
    /// which engines may find another first.
    fn outcome(&self, id: u64, permission: usize, division: usize) -> Option<Expected> {
        let token = &self.contents.tokens[&id];
        let owner = &self.contents.principals[&token.principal];
        let permitted = owner.permissions.0 >> ASKED[permission].0 & 1 == 1;
        let reaches = match &owner.scope {
            Scope::All => true,
            Scope::Only(held) => held.contains(&uuid(division)),
        };
        match (token.disabled || owner.disabled, token.end == PAST, permitted, reaches) {
            (false, false, true, true) => Some(Expected::Allowed),
            (true, false, true, true) => Some(Expected::Disabled),
            (false, true, true, true) => Some(Expected::Expired),
            (false, false, false, true) => Some(Expected::PermissionMissing),
            (false, false, true, false) => Some(Expected::OtherDivision),
            _ => None,
        }
    }
}

fn principal(at: usize, service: bool, role: PermissionSet, draw: &mut Draw) -> PrincipalEntry {
    let scope = (0..=below(draw, 4)).map(|_| uuid(below(draw, DIVISIONS))).collect();

    PrincipalEntry {
        id: uuid(1_000 + at),
        name: format!("principal at line {at:>6}"),
        kind: if service { PrincipalKind::ServiceUser } else { PrincipalKind::User },
        disabled: below(draw, 20) == 0,
        no_iot_access: false,
        permissions: role,
        scope: Scope::Only(scope),
        end: End::NEVER,
    }
}

/// Returns the name of a division.
pub fn division(at: usize) -> String {
    format!("division {at}")
}

/// Returns the place of a division by its id.
pub fn place(division: Uuid) -> usize {
    usize::from(division.0[15])
}

/// Keys of principals leave gaps, as they do in an account that lives.
fn key(at: usize) -> u32 {
    u32::try_from(at * 3).expect("not that many principals")
}

fn uuid(n: usize) -> Uuid {
    let mut bytes = [0x22; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());

    Uuid(bytes)
}

/// About three quarters of the permissions; some that are asked for, and not all of them.
fn role(draw: &mut Draw) -> PermissionSet {
    let asked = ASKED.iter().fold(0, |asked, (bit, _)| asked | 1 << bit);
    loop {
        let role = (draw.next() | draw.next()) & HELD;
        if role & asked != 0 && role & asked != asked {
            return PermissionSet(role);
        }
    }
}

fn below(draw: &mut Draw, limit: usize) -> usize {
    usize::try_from(draw.next() % limit as u64).expect("it is below a usize")
}

fn secret(draw: &mut Draw) -> Secret {
    Secret(core::array::from_fn(|_| draw.next().to_le_bytes()[0]))
}
