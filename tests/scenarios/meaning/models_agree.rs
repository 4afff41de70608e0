//! Random policies, random requests: the product and the plain model give the same reason.
//!
//! `GATEWARD_SEED` repeats a run, `GATEWARD_POLICIES` says how many policies; each is asked a
//! hundred times.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::hash::{BuildHasher, RandomState};

use gateward_core::division::DivisionRules;
use gateward_core::name::Uuid;
use gateward_core::snapshot::build::Scope;
use gateward_tests::model::{
    Account, Credential, Principal, Request, Route, Tables, Token, What, end_of,
};
use gateward_tests::world::{
    EVERYTHING, EXPIRES_AFTER, Key, NOW, Question, STALE_AFTER, Snapshot, Who, World, id,
    needs_any, scatter, sends,
};

const POLICIES: u64 = 1_000;
const REQUESTS: usize = 100;

const DIVISIONS: [&str; 4] = ["A", "B", "C", "D"];
/// On the day before [`NOW`], on that of it, and around the ends of the snapshot.
const DAYS: [(u64, u64, u64); 6] =
    [(2026, 6, 29), (2026, 6, 30), (2026, 7, 1), (2026, 7, 3), (2026, 7, 12), (2028, 2, 29)];
const OPERATIONS: [&str; 7] = ["approve", "delete", "issue", "issue_ca", "read", "revoke", "write"];
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];

#[test]
#[expect(clippy::print_stderr, reason = "whoever sees it fail needs the seed")]
fn n1_to_n6_a_thousand_random_policies_mean_what_the_plain_model_says() {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let drawn = || RandomState::new().hash_one(0);
    let seed = number("GATEWARD_SEED").unwrap_or_else(drawn);
    let policies = number("GATEWARD_POLICIES").unwrap_or(POLICIES);
    eprintln!("GATEWARD_SEED={seed} GATEWARD_POLICIES={policies}");

    let tables = Tables::read();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for policy in 0..policies {
        let mut random = Random(scatter(seed ^ scatter(policy)));
        let case = Case::draw(&mut random, &tables);
        for _ in 0..REQUESTS {
            let request = case.request(&mut random, &tables);
            let expected = tables.decide(&case.account, &request);
            let found = case.asks(&request);
            assert_eq!(
                found, expected,
                "GATEWARD_SEED={seed}, policy {policy}: {request:?}\n{:?}",
                case.account
            );
            *seen.entry(expected).or_default() += 1;
        }
    }
    eprintln!("{seen:?}");
    if policies >= 100 {
        for reason in REASONS {
            assert!(seen.contains_key(reason), "no request led to {reason}");
        }
    }
}

/// What has to come up, else the requests are not random enough to show anything.
const REASONS: [&str; 19] = [
    "ok",
    "ok_public",
    "unknown_token",
    "bad_secret",
    "token_disabled",
    "token_expired",
    "owner_disabled",
    "owner_expired",
    "account_suspended",
    "credential_not_accepted",
    "no_iot_access",
    "permission_missing",
    "system_user_barred",
    "division_denied",
    "division_unspecified",
    "route_unknown",
    "method_not_allowed",
    "snapshot_stale",
    "snapshot_expired",
];

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        scatter(self.0)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    /// Once in `n` times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Each of them once in `n` times.
    fn some<T: ToString>(&mut self, of: &[T], n: usize) -> BTreeSet<String> {
        of.iter().filter(|_| self.once_in(n)).map(ToString::to_string).collect()
    }
}

/// One policy: for the model, and for the product.
struct Case {
    account: Account,
    world: World,
    keys: Vec<Key>,
    snapshot: Snapshot,
    permissions: Vec<String>,
}

impl Case {
    fn draw(random: &mut Random, tables: &Tables) -> Self {
        let permissions: Vec<String> = tables.permissions.keys().cloned().collect();
        let account = draw_account(random, &permissions);
        let (world, keys) = world_of(&account);
        let group = if account.group.is_some() { "some" } else { EVERYTHING };
        let mut contents = world.contents(group);
        for (principal, at) in account.principals.iter().zip(0..) {
            let id = person_id(principal, at);
            for entry in contents.principals.values_mut().filter(|entry| entry.id == id) {
                if principal.nowhere {
                    entry.scope = Scope::Only(BTreeSet::new());
                }
            }
        }
        let snapshot = world.compile_contents(&contents);

        Self { account, world, keys, snapshot, permissions }
    }

    fn asks(&self, request: &Request) -> &'static str {
        let mut question = match &request.what {
            What::Permissions(ids, operation) => {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                match operation {
                    Some(operation) => needs_any(&ids).to(operation),
                    None => needs_any(&ids),
                }
            }
            What::Sends(method, path, query) => {
                let mut target = format!("/{}", path.join("/"));
                for (value, mark) in query.iter().zip(["?", "&"]) {
                    target.push_str(&format!("{mark}division_id={value}"));
                }
                sends(method, &target)
            }
        };
        if let Some(division) = &request.division {
            question = question.within(division);
        }
        let mode = if request.proxy { Question::through_a_proxy } else { Question::directly };
        let rules =
            DivisionRules { strict: request.strict, deny_unattached: request.deny_unattached };
        let question = mode(question.at(request.at)).under(rules);

        match request.credential {
            Credential::Right(at) => self.snapshot.asks(self.keys[at], &question).name(),
            Credential::WrongSecret(at) => {
                let forged = self.world.forged(self.keys[at]);
                self.snapshot.asks_with(&forged, &question).name()
            }
        }
    }

    fn request(&self, random: &mut Random, tables: &Tables) -> Request {
        let at = random.below(self.account.tokens.len());
        let credential = match random.once_in(20) {
            true => Credential::WrongSecret(at),
            false => Credential::Right(at),
        };
        let what = if random.once_in(2) {
            self.permissions_asked(random)
        } else {
            self.sent(random, tables)
        };
        let division = random.once_in(2).then(|| self.division(random));
        let proxy = random.once_in(2);

        Request {
            credential,
            what,
            division,
            proxy,
            at: moment(random),
            strict: random.once_in(4),
            deny_unattached: random.once_in(4),
        }
    }

    fn permissions_asked(&self, random: &mut Random) -> What {
        let count = if random.once_in(2) { 1 } else { random.below(4) };
        let mut ids: Vec<String> = (0..count).map(|_| random.one(&self.permissions)).collect();
        if random.once_in(20) {
            ids.push("manage_everything".to_owned());
        }
        let operation = random.once_in(2).then(|| random.one(&OPERATIONS).to_owned());

        What::Permissions(ids, operation)
    }

    /// Returns a request that a rule of the table knows, or nearly.
    fn sent(&self, random: &mut Random, tables: &Tables) -> What {
        let route: &Route = &tables.routes[random.below(tables.routes.len())];
        let mut path = Vec::new();
        for piece in &route.pattern {
            match piece.as_str() {
                "**" => (0..random.below(4)).for_each(|_| path.push(self.segment(random))),
                "{v:ver}" if random.once_in(40) => path.push("vX".to_owned()),
                "{v:ver}" => path.push(random.one(&["v1", "v2", "v10"]).to_owned()),
                slot if slot.starts_with('{') => path.push(self.segment(random)),
                literal => path.push(literal.to_owned()),
            }
        }
        let listed = random.one(&route.methods);
        let method = if random.once_in(8) { random.one(&METHODS).to_owned() } else { listed };
        let values = [0, 0, 1, 1, 1, 2];
        let query = (0..random.one(&values)).map(|_| match random.once_in(8) {
            true => "A".to_owned(),
            false => self.account.divisions[random.below(DIVISIONS.len())].0.clone(),
        });

        What::Sends(method, path, query.collect())
    }

    fn segment(&self, random: &mut Random) -> String {
        match random.below(8) {
            0 => random.one(&["approve", "renew", "passcode", "enrollment-specification"]).into(),
            1 => "77".to_owned(),
            2 => self.account.divisions[random.below(DIVISIONS.len())].0.clone(),
            3 => id(0x4a, 99).to_string(),
            4..7 => format!("IOT_{}", id(0x4a, random.below(6))),
            _ => id(0x4a, random.below(6)).to_string().to_uppercase(),
        }
    }

    fn division(&self, random: &mut Random) -> String {
        let (id, name) = random.one(&self.account.divisions);
        match random.below(8) {
            0 => "nowhere".to_owned(),
            1 => id.to_uppercase(),
            2 | 3 => id,
            _ => name,
        }
    }
}

/// Mostly now, often around the end of something.
fn moment(random: &mut Random) -> u64 {
    let edge = match random.below(24) {
        0 => NOW.0 + u64::from(STALE_AFTER),
        1 => NOW.0 + u64::from(EXPIRES_AFTER),
        2..5 => end_of(random.one(&DAYS)),
        5..8 => return NOW.0 + 3 * 86_400 + random.next() % 86_400,
        _ => return NOW.0 + random.next() % 86_400,
    };

    edge - 1 + random.next() % 3
}

fn draw_account(random: &mut Random, permissions: &[String]) -> Account {
    let few = |random: &mut Random| random.some(permissions, 5);
    let mut account = Account {
        suspended: random.once_in(30),
        divisions: (0..)
            .zip(DIVISIONS)
            .map(|(n, name)| (id(0xd1, n).to_string(), name.to_owned()))
            .collect(),
        roles: ["one", "two", "three"].map(|role| (role.to_owned(), few(random))).into(),
        group: random.once_in(3).then(|| some_divisions(random)),
        stale_at: NOW.0 + u64::from(STALE_AFTER),
        expires_at: NOW.0 + u64::from(EXPIRES_AFTER),
        ..Account::default()
    };
    for n in 0..5 {
        let division = (!random.once_in(3)).then(|| random.one(&DIVISIONS).to_owned());
        account.profiles.insert(id(0x4a, n).to_string(), division);
    }
    for owner in 0..4 + random.below(8) {
        account.principals.push(draw_principal(random, permissions));
        for _ in 0..1 + random.below(2) {
            let status = one_status(random, "enabled");
            account.tokens.push(Token { owner, status, end: some_day(random) });
        }
    }

    account
}

fn draw_principal(random: &mut Random, permissions: &[String]) -> Principal {
    let service = random.once_in(3);
    let roles = ["one", "two", "three", "iot_account_admin", "iot_system_admin"].map(str::to_owned);
    let nowhere = random.once_in(8);
    let divisions = match random.once_in(2) {
        _ if nowhere => Some(DIVISIONS.map(str::to_owned).into()),
        true => Some(some_divisions(random)),
        false => None,
    };
    let roles_or_permissions = if service { permissions } else { &roles };

    Principal {
        service,
        system: !service && random.once_in(3),
        status: one_status(random, "active"),
        iot_access: !random.once_in(15),
        grants: random.some(roles_or_permissions, 2),
        divisions,
        nowhere,
        end: some_day(random).filter(|_| service),
    }
}

fn some_divisions(random: &mut Random) -> BTreeSet<String> {
    let mut divisions = random.some(&DIVISIONS, 3);
    divisions.insert(random.one(&DIVISIONS).to_owned());
    divisions
}

fn one_status(random: &mut Random, usual: &'static str) -> &'static str {
    match random.below(20) {
        0 => "deleted",
        1 => "disabled",
        _ => usual,
    }
}

fn some_day(random: &mut Random) -> Option<(u64, u64, u64)> {
    random.once_in(4).then(|| random.one(&DAYS))
}

fn person_id(principal: &Principal, at: usize) -> Uuid {
    id(if principal.service { 0x5e } else { 0x0a }, at)
}

/// Writes the account as a policy.
fn world_of(account: &Account) -> (World, Vec<Key>) {
    let mut world = World::default();
    world.suspended = account.suspended;
    let day = |(year, month, day): (u64, u64, u64)| format!("{year}-{month:02}-{day:02}");
    world.divisions = DIVISIONS.map(str::to_owned).into();
    for (role, permissions) in &account.roles {
        world.roles.insert(role.clone(), permissions.iter().cloned().collect());
    }
    if let Some(group) = &account.group {
        world.groups.insert("some".to_owned(), group.iter().cloned().collect());
    }
    for (id, division) in &account.profiles {
        world.profiles.insert(Uuid::parse(id).unwrap(), division.clone());
    }
    let mut people: Vec<Who> = Vec::new();
    for (principal, n) in account.principals.iter().zip(0..) {
        let grants: Vec<&str> = principal.grants.iter().map(String::as_str).collect();
        let name = format!("somebody {n}");
        let who = if principal.service {
            world.service_user(&name, &grants)
        } else {
            world.user(&name, &grants)
        };
        let person = world.edit(who);
        person.system = principal.system;
        person.status = principal.status;
        person.iot_access = principal.iot_access;
        person.divisions =
            principal.divisions.as_ref().map(|names| names.iter().cloned().collect());
        person.end = principal.end.map(day);
        people.push(who);
    }
    let mut keys = Vec::new();
    for (token, n) in account.tokens.iter().zip(0..) {
        let key = world.token(people[token.owner], &format!("token {n}"));
        let held = world.edit_token(key);
        held.status = token.status;
        held.end = token.end.map(day);
        keys.push(key);
    }

    (world, keys)
}
