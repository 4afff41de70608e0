//! Topics and filters: which is well formed, and which covers which (MQTT 5.0, section 4.7).
//!
//! A topic is a filter without wildcards, so "matches" and "covers" are one function.

/// A subscription's filter, with the group taken off a shared one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wanted<'a> {
    /// What topics are compared with.
    pub(crate) filter: &'a str,
    /// The group of `$share/{group}/{filter}`.
    pub(crate) group: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Takes a filter as it stands in SUBSCRIBE apart; `None` when it is malformed.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let wanted = match text.strip_prefix("$share/") {
            None => Self { filter: text, group: None },
            Some(rest) => {
                let (group, filter) = rest.split_once('/')?;
                if group.is_empty() || group.contains(['+', '#']) {
                    return None;
                }
                Self { filter, group: Some(group) }
            }
        };
        is_filter(wanted.filter).then_some(wanted)
    }
}

/// Whether every topic that `narrow` matches is matched by `wide` too.
///
/// Both must be well formed. A wildcard at the start does not reach topics that begin with `$`
/// (MQTT 5.0, section 4.7.2).
pub(crate) fn covers(wide: &str, narrow: &str) -> bool {
    if narrow.starts_with('$') && wide.starts_with(['+', '#']) {
        return false;
    }

    let mut narrow = narrow.split('/');
    for level in wide.split('/') {
        match (level, narrow.next()) {
            ("#", _) => return true,
            ("+", Some(other)) if other != "#" => {}
            (level, Some(other)) if level == other => {}
            (_, _) => return false,
        }
    }
    narrow.next().is_none()
}

/// Whether a filter is well formed: `+` and `#` fill a whole level, `#` the last one.
pub(crate) fn is_filter(text: &str) -> bool {
    let levels = || text.split('/');
    let last = levels().count();
    is_text(text)
        && levels().enumerate().all(|(index, level)| match level {
            "+" => true,
            "#" => index + 1 == last,
            level => !level.contains(['+', '#']),
        })
}

/// Whether a topic can be published to.
pub(crate) fn is_topic(text: &str) -> bool {
    is_text(text) && !text.contains(['+', '#'])
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= usize::from(u16::MAX) && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("+/+", "/b", true),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("é/+", "é/ü", true),
        ] {
            assert_eq!(covers(filter, topic), expected, "{filter} and {topic}");
        }
    }

    #[test]
    fn a_wider_filter_is_not_covered_by_a_narrower_one() {
        for (wide, narrow, expected) in [
            ("a/#", "a/+", true),
            ("a/#", "a/#", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/b", "a/+", false),
            ("a/b", "#", false),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/+/+", false),
        ] {
            assert_eq!(covers(wide, narrow), expected, "{wide} over {narrow}");
        }
    }

    #[test]
    fn malformed_filters_and_topics_are_refused() {
        for bad in
            ["", "a#", "a/#/b", "a+/b", "a/b+", "a\0b", "$share/g", "$share//a", "$share/+/a"]
        {
            assert_eq!(Wanted::parse(bad), None, "{bad}");
        }
        assert!(!is_filter(&"x".repeat(65_536)));
        for bad in ["", "a/+", "#", "a\0"] {
            assert!(!is_topic(bad), "{bad}");
        }
        let shared = Wanted { filter: "a/#", group: Some("g") };
        assert_eq!(Wanted::parse("$share/g/a/#"), Some(shared));
    }
}
