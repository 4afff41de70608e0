//! SUBSCRIBE and UNSUBSCRIBE: what a session asked for, and the retained messages it gets at once.
//!
//! SUBACK goes out before the retained messages, as real brokers do it.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Filter, Packet, RetainForwardRule, SubAck, Subscribe, SubscribeReasonCode, UnsubAck,
    UnsubAckReason, Unsubscribe,
};
use tracing::debug;

use super::route::{Message, Terms, lower};
use super::{ConnectionId, Hub};
use crate::filter::{Wanted, covers};

/// More subscriptions than this are refused to one session.
const MAX_SUBSCRIPTIONS: usize = 1024;

/// One filter of one session.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    /// What topics are compared with, without a share's group.
    pub(super) filter: String,
    /// The group, if it is shared.
    pub(super) group: Option<String>,
    /// The identifier that messages carry back.
    pub(super) id: Option<usize>,
    pub(super) no_local: bool,
    pub(super) qos: QoS,
    pub(super) retain_as_published: bool,
}

impl Subscription {
    fn is(&self, wanted: Wanted<'_>) -> bool {
        self.filter == wanted.filter && self.group.as_deref() == wanted.group
    }
}

impl Hub {
    /// Adds each filter that is allowed, answers, and hands out what is retained.
    pub(super) fn subscribe(&mut self, id: ConnectionId, subscribe: Subscribe) {
        let tag = subscribe.properties.and_then(|properties| properties.id);
        let mut return_codes = Vec::new();
        let mut replays = Vec::new();
        for filter in subscribe.filters {
            match self.add(id, tag, &filter) {
                Ok((subscription, replay)) => {
                    return_codes.push(SubscribeReasonCode::Success(subscription.qos));
                    if replay {
                        replays.push(subscription);
                    }
                }
                Err(code) => return_codes.push(code),
            }
        }

        let ack = SubAck { pkid: subscribe.pkid, return_codes, properties: None };
        self.write(id, Packet::SubAck(ack));
        for subscription in replays {
            self.replay(id, &subscription);
        }
    }

    pub(super) fn unsubscribe(&mut self, id: ConnectionId, unsubscribe: &Unsubscribe) {
        let Some(session) = self.session_mut(id) else { return };
        let mut reasons = Vec::new();
        for filter in &unsubscribe.filters {
            let before = session.subscriptions.len();
            let reason = match Wanted::parse(filter) {
                None => UnsubAckReason::TopicFilterInvalid,
                Some(wanted) => {
                    session.subscriptions.retain(|subscription| !subscription.is(wanted));
                    if session.subscriptions.len() < before {
                        UnsubAckReason::Success
                    } else {
                        UnsubAckReason::NoSubscriptionExisted
                    }
                }
            };
            reasons.push(reason);
        }
        let ack = UnsubAck { pkid: unsubscribe.pkid, reasons, properties: None };
        self.write(id, Packet::UnsubAck(ack));
    }

    /// Adds or replaces one subscription; with it, whether retained messages are wanted now.
    fn add(
        &mut self,
        id: ConnectionId,
        tag: Option<usize>,
        asked: &Filter,
    ) -> Result<(Subscription, bool), SubscribeReasonCode> {
        let wanted = Wanted::parse(&asked.path).ok_or(SubscribeReasonCode::TopicFilterInvalid)?;
        // A shared subscription that spares its own sender is a mistake (MQTT 5.0, 3.8.3.1).
        if wanted.group.is_some() && asked.nolocal {
            return Err(SubscribeReasonCode::TopicFilterInvalid);
        }
        let session = self.session(id).ok_or(SubscribeReasonCode::Unspecified)?;
        if !self.access.may_subscribe(session.who(), wanted.filter) {
            debug!(?id, filter = asked.path, "subscription refused by the access list");
            return Err(SubscribeReasonCode::NotAuthorized);
        }

        let session = self.session_mut(id).ok_or(SubscribeReasonCode::Unspecified)?;
        let before = session.subscriptions.len();
        session.subscriptions.retain(|subscription| !subscription.is(wanted));
        let is_new = session.subscriptions.len() == before;
        if session.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return Err(SubscribeReasonCode::QuotaExceeded);
        }
        let subscription = Subscription {
            filter: wanted.filter.to_owned(),
            group: wanted.group.map(str::to_owned),
            id: tag,
            no_local: asked.nolocal,
            qos: lower(asked.qos, QoS::AtLeastOnce),
            retain_as_published: asked.preserve_retain,
        };
        session.subscriptions.push(subscription.clone());
        let replay = wanted.group.is_none()
            && match asked.retain_forward_rule {
                RetainForwardRule::Never => false,
                RetainForwardRule::OnEverySubscribe => true,
                RetainForwardRule::OnNewSubscribe => is_new,
            };
        Ok((subscription, replay))
    }

    fn replay(&mut self, id: ConnectionId, subscription: &Subscription) {
        let Some(session) = self.session(id) else { return };
        let fitting: Vec<Message> = self
            .retained
            .values()
            .filter(|message| covers(&subscription.filter, &message.topic))
            .filter(|message| self.access.may_read(session.who(), &message.topic))
            .cloned()
            .collect();
        for message in fitting {
            let ids = subscription.id.into_iter().collect();
            let qos = lower(subscription.qos, message.qos);
            self.hand(id, &message, Terms { ids, qos, retain: true });
        }
    }
}
