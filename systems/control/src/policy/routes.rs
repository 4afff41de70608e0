//! Routes that a policy adds to the built-in table, or puts in the place of a row of it.
//!
//! Keys are the columns of `data/routes.tsv`, and so are their words.

use gateward_core::route::{
    Accepts, AnyOf, DivisionSource, Methods, Pattern, RULES, RouteOperation, Rule, ambiguous,
};
use gateward_core::snapshot::ext::MAX_ADDED;

use super::catalogue::Catalogue;
use super::fields::{Fields, Text};
use super::folder::Root;
use super::mistake::Mistakes;

/// A route of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RouteEntry {
    id: String,
    methods: Methods,
    pattern: String,
    permissions: String,
    operation: RouteOperation,
    accepts: Accepts,
    division: DivisionSource,
    fresh: bool,
    resource: String,
    action: String,
    enabled: bool,
}

impl RouteEntry {
    /// Returns it as a rule; none where its pattern is not one.
    #[must_use]
    pub fn rule(&self) -> Option<Rule<'_>> {
        Some(Rule {
            id: &self.id,
            methods: self.methods,
            pattern: Pattern::check(&self.pattern).ok()?,
            permissions: AnyOf::new(&self.permissions),
            operation: self.operation,
            accepts: self.accepts,
            division: self.division,
            fresh: self.fresh,
            resource: &self.resource,
            action: &self.action,
            enabled: self.enabled,
        })
    }
}

pub(super) fn read(root: &Root, catalogue: &Catalogue, mistakes: &mut Mistakes) -> Vec<RouteEntry> {
    let mut routes: Vec<RouteEntry> = Vec::new();
    let tables = root.many("routes", mistakes);
    for (at, (place, table)) in tables.iter().enumerate() {
        let mut fields = Fields::new("routes", *place, table, mistakes);
        if at == usize::from(MAX_ADDED) {
            fields.wrong(
                *place,
                "id",
                format!("more than {MAX_ADDED} routes; join some with `**`"),
            );
        }
        let route = route(&mut fields, catalogue);
        if routes.iter().any(|known| known.id == route.id) {
            let what = format!("`{}` is the id of two routes; rename one", route.id.escape_debug());
            fields.wrong(*place, "id", what);
        }
        fields.finish();
        routes.push(route);
    }
    let places = tables.iter().map(|(place, _)| *place);
    for (place, (one, other)) in places.zip(&routes).flat_map(|(place, route)| {
        rivals(route, &routes).map(move |rival| (place, (&route.id, rival)))
    }) {
        let what = format!(
            "`{one}` and `{other}` can match one request with equal weight; make a pattern more \
             specific, or give one the other's id to replace it"
        );
        mistakes.add(place, "routes.pattern", what);
    }

    routes
}

/// Returns the ids of other rules that have the same claim to a request (DOMAIN G12).
fn rivals<'a>(
    route: &'a RouteEntry,
    routes: &'a [RouteEntry],
) -> impl Iterator<Item = String> + use<'a> {
    let replaced = |rule: &&Rule<'_>| routes.iter().any(|route| route.id == rule.id);
    let built_in = RULES.iter().filter(move |rule| !replaced(rule)).copied();
    let added = routes.iter().filter(|other| other.id != route.id).filter_map(RouteEntry::rule);
    let rule = route.rule();

    built_in
        .chain(added)
        .filter(move |other| rule.is_some_and(|rule| ambiguous(&rule, other)))
        .map(|other| other.id.escape_debug().to_string())
}

fn route(fields: &mut Fields<'_>, catalogue: &Catalogue) -> RouteEntry {
    let place = fields.place();
    let id = fields.required("id", "name it");
    let methods = methods(fields);
    let pattern =
        fields.required("pattern", "write a path, such as \"/iot/api/{v:ver}/device/**\"");
    if let Err(bad) = Pattern::check(&pattern.text) {
        let what = format!("`{}`: {bad}", pattern.text.escape_debug());
        fields.wrong(pattern.place, "pattern", what);
    }
    let operation = operation(fields);
    let (_, named) = fields.texts("permission_any_of").unwrap_or_default();
    for id in &named {
        catalogue.known(fields, "permission_any_of", id);
    }
    let permissions: Vec<_> = named.into_iter().map(|id| id.text).collect();
    let accepts = accepts(fields, operation);
    let division = division(fields);
    let fresh = fields.word("stale", &[("hard", false), ("fresh", true)]).unwrap_or_default();
    let (resource, action) = resource_action(fields);
    let enabled = fields.flag("enabled").unwrap_or(true);
    let route = RouteEntry {
        id: id.text,
        methods,
        pattern: pattern.text,
        permissions: permissions.join("|"),
        operation,
        accepts,
        division,
        fresh,
        resource,
        action,
        enabled,
    };
    if let Some(Err(bad)) = route.rule().map(|rule| rule.check()) {
        fields.wrong(place, "id", format!("`{}`: {bad}", route.id.escape_debug()));
    }

    route
}

fn methods(fields: &mut Fields<'_>) -> Methods {
    let (place, names) = fields.texts("methods").unwrap_or((fields.place(), Vec::new()));
    let names: Vec<_> = names.into_iter().map(|name| name.text).collect();
    let methods = Methods::parse(&names.join(" "));
    if methods.is_none() {
        let what = "must list some of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS";
        fields.wrong(place, "methods", what);
    }

    methods.unwrap_or_default()
}

fn operation(fields: &mut Fields<'_>) -> RouteOperation {
    let Text { place, text } = fields.required("op", "name an operation, `public` or `enroll`");
    let operation = RouteOperation::parse(&text);
    if operation.is_none() && !text.is_empty() {
        let what = format!("`{}`: name an operation, `public` or `enroll`", text.escape_debug());
        fields.wrong(place, "op", what);
    }

    operation.unwrap_or(RouteOperation::Public)
}

/// Reads `auth`; left out it is what the operation cannot do without.
fn accepts(fields: &mut Fields<'_>, operation: RouteOperation) -> Accepts {
    let default = match operation {
        RouteOperation::Enroll => Accepts::DEVICE,
        RouteOperation::Public => Accepts::NONE,
        RouteOperation::Needs(_) => Accepts::parse("key").unwrap_or_default(),
    };
    let Some((place, names)) = fields.texts("auth") else { return default };
    let names: Vec<_> = names.into_iter().map(|name| name.text).collect();
    let accepts = Accepts::parse(&names.join(" "));
    if accepts.is_none() {
        fields.wrong(place, "auth", "must list some of key, passcode, mtls and device, or none");
    }

    accepts.unwrap_or(default)
}

/// Reads `division`; left out, only the upstream knows.
fn division(fields: &mut Fields<'_>) -> DivisionSource {
    let Some(Text { place, text }) = fields.optional("division") else {
        return DivisionSource::Upstream;
    };
    let division = DivisionSource::parse(&text);
    if division.is_none() {
        let what = format!(
            "`{}`: write \"none\", \"upstream\", \"query:division_id else filter\", \
             \"path:division\", \"path:enrollment_profile\" or \"path:policy\"",
            text.escape_debug()
        );
        fields.wrong(place, "division", what);
    }

    division.unwrap_or(DivisionSource::Upstream)
}

fn resource_action(fields: &mut Fields<'_>) -> (String, String) {
    let text = fields.required("resource_action", "say what records call it, \"device/view\"");
    let Some((resource, action)) = text.text.split_once('/') else {
        if !text.text.is_empty() {
            let what = format!(
                "`{}`: write a thing and an act, \"device/view\"",
                text.text.escape_debug()
            );
            fields.wrong(text.place, "resource_action", what);
        }
        return (text.text.clone(), text.text);
    };

    (resource.to_owned(), action.to_owned())
}
