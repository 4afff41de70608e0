//! CONNECT: who it is, whether its will is allowed, and what the broker announces.
//!
//! No session outlives its connection: `session_present` is always false.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnAckProperties, Connect, ConnectReturnCode, DisconnectReasonCode, LastWill, Login,
    Packet, PublishProperties,
};
use tracing::debug;

use super::route::Message;
use super::{ConnectionId, Hub, Session};
use crate::filter::is_topic;
use crate::flight::Outgoing;

/// QoS 1 messages a client may have on their way to the broker at once, below any queue.
const RECEIVE_MAX: u16 = 512;

impl Hub {
    /// Begins a session, or refuses it with the reason in CONNACK.
    pub(super) fn join(
        &mut self,
        id: ConnectionId,
        peer: Option<&str>,
        connect: Connect,
        will: Option<LastWill>,
        login: Option<Login>,
    ) {
        let assigned = connect.client_id.is_empty().then(|| format!("auto-{}", id.0));
        let client_id = assigned.clone().unwrap_or(connect.client_id);
        // Without TLS there is only the client's word.
        let claimed = login.map(|login| login.username).filter(|name| !name.is_empty());
        let identity = peer.map(str::to_owned).or(claimed);
        let mut session = Session { client_id, identity, subscriptions: Vec::new(), will: None };

        match will.map(|will| message_of(id, will)).transpose() {
            Ok(will) => session.will = will,
            Err(code) => return self.refuse(id, code),
        }
        if let Some(will) = &session.will
            && !self.access.may_write(session.who(), &will.topic)
        {
            return self.refuse(id, ConnectReturnCode::NotAuthorized);
        }

        self.take_over(&session.client_id);
        debug!(?id, client_id = session.client_id, identity = session.identity, "session begins");
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.session = Some(session);
            self.accepted += 1;
        }
        let wishes = connect.properties.as_ref();
        let limits = Outgoing::Limits {
            max_packet_bytes: wishes.and_then(|wishes| wishes.max_packet_size),
            receive_max: wishes.and_then(|wishes| wishes.receive_maximum),
        };
        self.push(id, limits);
        let properties = Some(self.announcement(assigned));
        let code = ConnectReturnCode::Success;
        let connack = ConnAck { session_present: false, code, properties };
        self.write(id, Packet::ConnAck(connack));
    }

    fn announcement(&self, assigned: Option<String>) -> ConnAckProperties {
        ConnAckProperties {
            session_expiry_interval: Some(0),
            receive_max: Some(RECEIVE_MAX),
            max_qos: Some(1),
            retain_available: None,
            max_packet_size: Some(self.max_packet_bytes),
            assigned_client_identifier: assigned,
            topic_alias_max: None,
            reason_string: None,
            user_properties: Vec::new(),
            wildcard_subscription_available: None,
            subscription_identifiers_available: None,
            shared_subscription_available: None,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        }
    }

    fn refuse(&mut self, id: ConnectionId, code: ConnectReturnCode) {
        debug!(?id, ?code, "session refused");
        let connack = ConnAck { session_present: false, code, properties: None };
        self.write(id, Packet::ConnAck(connack));
        self.give_up(id);
    }

    /// One client id, one session: the newer one wins (MQTT 5.0, section 3.1.4).
    fn take_over(&mut self, client_id: &str) {
        let older = self.connections.iter().find_map(|(id, connection)| {
            let session = connection.session.as_ref()?;
            (session.client_id == client_id).then_some(*id)
        });
        if let Some(older) = older {
            self.dismiss(older, DisconnectReasonCode::SessionTakenOver);
        }
    }
}

fn message_of(id: ConnectionId, will: LastWill) -> Result<Message, ConnectReturnCode> {
    if will.qos == QoS::ExactlyOnce {
        return Err(ConnectReturnCode::QoSNotSupported);
    }
    let topic = String::from_utf8(will.topic.to_vec()).ok().filter(|topic| is_topic(topic));
    let topic = topic.ok_or(ConnectReturnCode::TopicNameInvalid)?;
    let properties = will.properties.map(|properties| PublishProperties {
        payload_format_indicator: properties.payload_format_indicator,
        message_expiry_interval: properties.message_expiry_interval,
        topic_alias: None,
        response_topic: properties.response_topic,
        correlation_data: properties.correlation_data,
        user_properties: properties.user_properties,
        subscription_identifiers: Vec::new(),
        content_type: properties.content_type,
    });

    Ok(Message {
        from: Some(id),
        hostile: false,
        payload: will.message,
        properties,
        qos: will.qos,
        retain: will.retain,
        topic,
    })
}
