//! The two tables, and which route a request is.

use std::collections::BTreeMap;

use super::Set;

const PERMISSIONS: &str = include_str!("../../../core/data/permissions.tsv");
const ROUTES: &str = include_str!("../../../core/data/routes.tsv");

/// The two tables.
#[derive(Debug)]
pub struct Tables {
    /// The catalogue by id.
    pub permissions: BTreeMap<String, Permission>,
    /// The routes.
    pub routes: Vec<Route>,
}

/// A row of the catalogue.
#[derive(Debug)]
pub struct Permission {
    pub(super) ops: Set,
    pub(super) fresh_ops: Set,
    pub(super) division_scoped: bool,
    pub(super) account_admin: bool,
    pub(super) system_admin: bool,
}

/// A row of the route table.
#[derive(Debug)]
pub struct Route {
    pub(super) id: String,
    /// The methods.
    pub methods: Vec<String>,
    /// The segments of the pattern.
    pub pattern: Vec<String>,
    pub(super) any_of: Vec<String>,
    pub(super) op: String,
    pub(super) key: bool,
    pub(super) division: String,
    pub(super) fresh: bool,
}

impl Route {
    /// SCEP and ACME wait to be switched on (DOMAIN G16).
    fn is_off(&self) -> bool {
        self.id == "scep" || self.id == "acme"
    }
}

fn words(text: &str) -> Set {
    text.split_whitespace().map(str::to_owned).collect()
}

impl Tables {
    /// Reads the tables.
    #[must_use]
    pub fn read() -> Self {
        let permissions = PERMISSIONS.lines().skip(1).map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let cell = |at: usize| *cells.get(at).expect("twelve cells");
            let permission = Permission {
                ops: words(cell(9)),
                fresh_ops: words(cell(10)),
                division_scoped: cell(11) == "yes",
                account_admin: cell(7) == "yes",
                system_admin: cell(8) == "yes",
            };
            (cell(1).to_owned(), permission)
        });
        let routes = ROUTES.lines().skip(1).map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let cell = |at: usize| *cells.get(at).expect("ten cells");
            let any_of = cell(3).split('|').filter(|id| *id != "-");
            Route {
                id: cell(0).to_owned(),
                methods: cell(1).split(' ').map(str::to_owned).collect(),
                pattern: cell(2).split('/').skip(1).map(str::to_owned).collect(),
                any_of: any_of.map(str::to_owned).collect(),
                op: cell(4).to_owned(),
                key: words(cell(5)).contains("key"),
                division: cell(6).to_owned(),
                fresh: cell(7) == "fresh",
            }
        });

        Self { permissions: permissions.collect(), routes: routes.collect() }
    }
}

impl Tables {
    /// Returns the most specific route (DOMAIN 7).
    pub(super) fn route(&self, method: &str, path: &[String]) -> Result<&Route, &'static str> {
        let mut best: Option<(Vec<u8>, &Route)> = None;
        let mut known = false;
        for route in &self.routes {
            let Some(claim) = claim(&route.pattern, path) else { continue };
            let named = |name: &str| route.methods.iter().any(|known| known == name);
            if !(named(method) || (method == "HEAD" && named("GET"))) {
                known |= !route.is_off();
                continue;
            }
            if best.as_ref().is_none_or(|(so_far, _)| claim > *so_far) {
                best = Some((claim, route));
            }
        }

        match best {
            Some((_, route)) if route.is_off() => Err("route_unknown"),
            Some((_, route)) => Ok(route),
            None if known => Err("method_not_allowed"),
            None => Err("route_unknown"),
        }
    }
}

/// Says how well a pattern fits a path, segment by segment; an exact end beats a tail.
fn claim(pattern: &[String], path: &[String]) -> Option<Vec<u8>> {
    let mut claim = Vec::new();
    let mut segments = path.iter();
    for piece in pattern {
        if piece == "**" {
            claim.push(0);
            return Some(claim);
        }
        let segment = segments.next()?;
        if piece == "{v:ver}" {
            let digits = segment.strip_prefix('v')?;
            if !matches!(digits.len(), 1 | 2) || !digits.chars().all(|c| c.is_ascii_digit()) {
                return None;
            }
            claim.push(2);
        } else if piece.starts_with('{') {
            claim.push(1);
        } else if piece == segment {
            claim.push(3);
        } else {
            return None;
        }
    }
    claim.push(4);

    if segments.next().is_none() { Some(claim) } else { None }
}
