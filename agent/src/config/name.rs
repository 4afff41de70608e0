//! Names that become a level of an MQTT topic.

use core::fmt;

use gateward_core::topic;

/// The name of a group or of a gateway: 1 to 64 letters, digits, `-` and `_`, so that it can
/// neither add a level to a topic nor match others.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicName(String);

impl TopicName {
    /// Checks the name of a gateway.
    ///
    /// # Errors
    ///
    /// Returns how to mend it.
    pub fn gateway(text: &str) -> Result<Self, &'static str> {
        if !topic::is_level(text) {
            return Err("write 1 to 64 letters, digits, `-` and `_`: it becomes part of a topic");
        }

        Ok(Self(text.to_owned()))
    }

    /// Checks the name of a group.
    ///
    /// # Errors
    ///
    /// Returns how to mend it.
    pub fn group(text: &str) -> Result<Self, &'static str> {
        if text == topic::RESERVED {
            return Err("choose another name: topics of single gateways stand under this one");
        }

        Self::gateway(text)
    }

    /// Returns the name as it is written down.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_reach_into_other_topics() {
        let long = "x".repeat(65);
        for bad in ["", "a/b", "+", "#", "$share", "a b", "é", "a\0", long.as_str()] {
            assert!(TopicName::gateway(bad).is_err(), "{bad:?}");
            assert!(TopicName::group(bad).is_err(), "{bad:?}");
        }
        assert_eq!(TopicName::gateway("edge-7_A").unwrap().as_str(), "edge-7_A");
        assert!(TopicName::gateway(&"x".repeat(64)).is_ok());
    }

    #[test]
    fn the_group_named_gateway_is_reserved() {
        assert!(TopicName::group("gateway").is_err());
        assert!(TopicName::gateway("gateway").is_ok());
    }
}
