//! PUBLISH: from one client, or from the hostile broker itself, to all that asked for it.
//!
//! A subscriber with several fitting filters gets one copy, with the highest of their QoS and all
//! their identifiers (MQTT 5.0, section 3.3.4); a shared filter counts apart from the others.

use std::collections::BTreeMap;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    DisconnectReasonCode, Packet, PubAck, PubAckReason, Publish, PublishProperties,
};
use tracing::{debug, warn};

use super::subscribe::Subscription;
use super::{ConnectionId, Delivery, Hub};
use crate::filter::{covers, is_topic};

/// More topics than this are not retained.
const MAX_RETAINED: usize = 65_536;

/// A message between being received and being handed out.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) from: Option<ConnectionId>,
    /// Planted by the broker, so the access list is not asked.
    pub(super) hostile: bool,
    pub(super) payload: Bytes,
    pub(super) properties: Option<PublishProperties>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) topic: String,
}

/// How one subscriber gets one message.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) ids: Vec<usize>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

impl Terms {
    fn of(subscription: &Subscription, message: &Message) -> Self {
        Self {
            ids: subscription.id.into_iter().collect(),
            qos: lower(subscription.qos, message.qos),
            retain: subscription.retain_as_published && message.retain,
        }
    }

    fn merge(self, other: Self) -> Self {
        let mut ids = self.ids;
        ids.extend(other.ids);
        let qos = if self.qos >= other.qos { self.qos } else { other.qos };
        Self { ids, qos, retain: self.retain || other.retain }
    }
}

type Members = Vec<(ConnectionId, Terms)>;

impl Hub {
    pub(crate) fn forget(&mut self, topic: &str) {
        self.retained.remove(topic);
    }

    /// Retains and hands out a message that no client sent.
    pub(crate) fn plant(&mut self, topic: &str, payload: Vec<u8>) {
        if !is_topic(topic) {
            warn!(topic, "no topic that a broker could carry; nothing is planted");
            return;
        }
        self.route(Message {
            from: None,
            hostile: true,
            payload: payload.into(),
            properties: None,
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: topic.to_owned(),
        });
        self.settle();
    }

    pub(crate) fn retained(&self, topic: &str) -> Option<Vec<u8>> {
        self.retained.get(topic).map(|message| message.payload.to_vec())
    }

    pub(crate) fn retained_topics(&self) -> Vec<String> {
        self.retained.keys().cloned().collect()
    }

    /// Handles a client's PUBLISH and acknowledges it.
    pub(super) fn published(&mut self, id: ConnectionId, publish: Publish) {
        let (qos, pkid) = (publish.qos, publish.pkid);
        let message = match checked(id, publish) {
            Ok(message) => message,
            Err(reason) => return self.dismiss(id, reason),
        };

        let Some(session) = self.session(id) else { return };
        let reason = if !self.access.may_write(session.who(), &message.topic) {
            debug!(?id, topic = message.topic, "publish refused by the access list");
            PubAckReason::NotAuthorized
        } else if message.retain && self.is_full_for(&message.topic) {
            PubAckReason::QuotaExceeded
        } else if self.route(message) == 0 {
            PubAckReason::NoMatchingSubscribers
        } else {
            PubAckReason::Success
        };
        if qos == QoS::AtLeastOnce {
            let ack = PubAck { pkid, reason, properties: None };
            self.write(id, Packet::PubAck(ack));
        }
    }

    /// Hands a message to one subscriber, as the tamper function will have it.
    pub(super) fn hand(&mut self, id: ConnectionId, message: &Message, terms: Terms) {
        let delivery = match &self.tamper {
            Some(tamper) => tamper(&message.topic, message.payload.to_vec()),
            None => Delivery::AsIs,
        };
        let (payload, copies) = match delivery {
            Delivery::Altered(payload) => (payload.into(), 1),
            Delivery::AsIs => (message.payload.clone(), 1),
            Delivery::Dropped => return,
            Delivery::Twice => (message.payload.clone(), 2),
        };

        let mut properties = message.properties.clone();
        if !terms.ids.is_empty() {
            properties.get_or_insert_default().subscription_identifiers = terms.ids;
        }
        let mut publish = Publish::new(message.topic.as_str(), terms.qos, payload, properties);
        publish.retain = terms.retain;
        for _ in 0..copies {
            self.write(id, Packet::Publish(publish.clone()));
        }
    }

    /// Retains a message if it asks for it, and hands it out; the number of subscribers.
    pub(super) fn route(&mut self, message: Message) -> usize {
        let (own, shares) = self.subscribers(&message);
        let mut handed = own.len();
        for (id, terms) in own {
            self.hand(id, &message, terms);
        }
        for (share, members) in shares {
            if let Some((id, terms)) = self.next_in_turn(share, members) {
                handed += 1;
                self.hand(id, &message, terms);
            }
        }
        if message.retain {
            self.retain(message);
        }
        handed
    }

    fn is_full_for(&self, topic: &str) -> bool {
        self.retained.len() >= MAX_RETAINED && !self.retained.contains_key(topic)
    }

    /// The member after the one served last, in the order in which they connected.
    fn next_in_turn(
        &mut self,
        share: (String, String),
        mut members: Members,
    ) -> Option<(ConnectionId, Terms)> {
        let last = self.served_last.get(&share).copied();
        let next = members.iter().position(|(id, _)| Some(*id) > last).unwrap_or(0);
        let chosen = (next < members.len()).then(|| members.swap_remove(next))?;
        self.served_last.insert(share, chosen.0);
        Some(chosen)
    }

    fn retain(&mut self, message: Message) {
        if message.payload.is_empty() {
            self.retained.remove(&message.topic);
        } else if !self.is_full_for(&message.topic) {
            self.retained.insert(message.topic.clone(), message);
        }
    }

    fn subscribers(&self, message: &Message) -> (Members, BTreeMap<(String, String), Members>) {
        let mut own = Members::new();
        let mut shares: BTreeMap<_, Members> = BTreeMap::new();
        for (id, connection) in &self.connections {
            let Some(session) = &connection.session else { continue };
            if !message.hostile && !self.access.may_read(session.who(), &message.topic) {
                continue;
            }
            let mut merged: Option<Terms> = None;
            for subscription in &session.subscriptions {
                let echo = subscription.no_local && message.from == Some(*id);
                if echo || !covers(&subscription.filter, &message.topic) {
                    continue;
                }
                let terms = Terms::of(subscription, message);
                if let Some(group) = &subscription.group {
                    let share = (group.clone(), subscription.filter.clone());
                    shares.entry(share).or_default().push((*id, terms));
                } else {
                    merged = Some(match merged {
                        Some(other) => other.merge(terms),
                        None => terms,
                    });
                }
            }
            own.extend(merged.map(|terms| (*id, terms)));
        }
        (own, shares)
    }
}

/// The weaker of two promises.
pub(super) fn lower(one: QoS, other: QoS) -> QoS {
    if one <= other { one } else { other }
}

fn checked(id: ConnectionId, publish: Publish) -> Result<Message, DisconnectReasonCode> {
    if publish.qos == QoS::ExactlyOnce {
        return Err(DisconnectReasonCode::QoSNotSupported);
    }
    if let Some(properties) = &publish.properties {
        if properties.topic_alias.is_some() {
            return Err(DisconnectReasonCode::TopicAliasInvalid);
        }
        if !properties.subscription_identifiers.is_empty() {
            return Err(DisconnectReasonCode::ProtocolError);
        }
    }
    let topic = String::from_utf8(publish.topic.to_vec()).ok().filter(|topic| is_topic(topic));

    Ok(Message {
        from: Some(id),
        hostile: false,
        payload: publish.payload,
        properties: publish.properties,
        qos: publish.qos,
        retain: publish.retain,
        topic: topic.ok_or(DisconnectReasonCode::TopicNameInvalid)?,
    })
}
