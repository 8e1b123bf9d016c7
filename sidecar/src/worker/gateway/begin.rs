//! A call begins: a device's, by InitiateOutboundCall, or a phone's, by INVITE.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use skillcall_protocol::communication::ParticipantId;
use skillcall_protocol::ids::SessionId;
use skillcall_protocol::signaling::{Forward, Operation, Participant, ResultCode};
use skillcall_protocol::sma::{CallId, TransactionId};
use skillcall_sip::endpoint::{CallHandle, Flow};
use skillcall_sip::message::{Request, StatusCode, escaped_user};
use uuid::Uuid;

use super::super::Running;
use super::super::call::{CallEntry, LegEntry, LegState};
use super::super::incoming::user_of;
use super::record::CallRecord;
use super::{GatewayCall, Way};
use crate::config::{GatewayRouteConfig, RoomConfig};
use crate::engine::{LegId, Now};
use crate::figures::{Held, count};
use crate::gateway::{Account, Caller, Session, Side, Switchboard, Video};
use crate::leg::{Agreed, LegOffers};
use crate::trace::CallIds;

/// Who calls, where nothing better is known.
const NOBODY: &str = "alexa";

/// What a gateway call begins with.
struct Beginning {
    session: Session,
    session_id: SessionId,
    account: Account,
    caller: Caller,
    people: (String, String),
    way: Option<Way>,
    video: Video,
    ids: Arc<CallIds>,
    held: Held,
    slot: Option<usize>,
    switchboard: Arc<Switchboard>,
}

impl Running {
    /// A device calls.
    pub(super) fn begin_from_device(&mut self, forward: Forward, now: Instant) {
        let Some(switchboard) = self.shared.switchboard.clone() else {
            return;
        };
        let session_id = forward.message.session_id.clone();
        let account = Account {
            user: forward.account,
            api_endpoint: Some(forward.api_endpoint),
        };
        let Operation::InitiateOutboundCall { participants, sdp } = forward.message.operation
        else {
            return;
        };
        let traced = self.takes_trace(now, &switchboard.application);
        let ids = Arc::new(CallIds::new(session_id.to_string(), None, traced));
        let note = |text: &str| self.shared.trace.note(&ids, false, text);
        note("from Alexa: InitiateOutboundCall");
        let held = if self.hanging_up {
            None
        } else {
            self.take_place()
        };
        let Some(held) = held else {
            self.shared.runtime.spawn(async move {
                let why = "the gateway takes no calls now";
                switchboard.farewell(ids, account, session_id, why).await;
            });
            return;
        };
        let (from, to) = both(&participants);
        let config = self.shared.live.now();
        let route = to.as_ref().and_then(|to| config.gateway.route_to(to));
        let gateway = &config.gateway;
        let mut video = Video::new(gateway.takes_video(route.and_then(|route| route.video)));
        let way = route.zip(to.as_ref());
        let room = from.as_ref().and_then(|from| config.gateway.room_of(from));
        let room = room.map(|room| room.number.as_str());
        let way = way.map(|(route, to)| way_of(route, from.as_ref(), room, to));
        let mut slot = None;
        let answer = match &way {
            None => Err((
                ResultCode::DeviceUnavailable,
                "no [[gateway.route]] leads to who is called".to_owned(),
            )),
            Some(_) => match self.answer_first(&sdp.value, now) {
                Ok((taken, answer)) => {
                    slot = Some(taken);
                    let device = self.media.get(taken).and_then(|media| media.device());
                    let said = device.and_then(|device| device.video_of_device());
                    video.offers(Side::Alexa, said);
                    Ok(answer)
                }
                Err(why) => Err((ResultCode::InternalError, why)),
            },
        };
        let value = |id: Option<ParticipantId>| id.map(|id| id.value).unwrap_or_default();
        let beginning = Beginning {
            session: Session::from_alexa(answer, switchboard.times.clone(), now),
            session_id,
            account,
            caller: Caller::Alexa,
            people: (value(from), value(to)),
            way,
            video,
            ids,
            held,
            slot,
            switchboard,
        };
        let key = self.place_gateway(beginning, None, now);
        self.carry_out(key);
    }

    /// A phone calls a room.
    #[allow(clippy::too_many_arguments, reason = "what an INVITE consists of")]
    pub(in crate::worker) fn on_room_call(
        &mut self,
        now: Instant,
        handle: CallHandle,
        request: &Request,
        flow: &Flow,
        offer: Option<Bytes>,
        room: &RoomConfig,
        switchboard: &Arc<Switchboard>,
    ) -> Result<(), (StatusCode, String)> {
        let busy = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, why.to_owned());
        let internal = |why: String| (StatusCode::SERVER_INTERNAL_ERROR, why);
        let user = skillcall_protocol::ids::UserId::parse(room.account.clone())
            .map_err(|error| internal(error.to_string()))?;
        let session_id = Switchboard::new_session(self.index)
            .ok_or_else(|| internal("no sessionId".to_owned()))?;
        let held = self
            .take_place()
            .ok_or_else(|| busy("there are as many calls as [limits] calls allows"))?;
        let trunk = self.shared.trunks.of_flow(flow);
        let source = self
            .take_share(flow, trunk.as_deref(), now)
            .map_err(|why| busy(&why))?;
        let phone_slot = self.take_media(now).map_err(|error| busy(&error))?;
        let mut offers = LegOffers::new(self.media_session(
            phone_slot,
            flow.remote.ip(),
            trunk.as_deref(),
            self.phone_codecs(None),
        ));
        let (mut answer, mut spoken) = (None, None);
        let takes_video = self.shared.live.now().gateway.takes_video(room.video);
        let mut video = Video::new(takes_video);
        if let Some(offer) = &offer {
            match offers.answer(None, offer) {
                Ok((text, negotiated)) => {
                    if let Some(media) = self.media.get_mut(phone_slot) {
                        media.agree(&Agreed::from(&negotiated));
                    }
                    answer = Some(text);
                    spoken = Some(crate::leg::encoding(negotiated.codec));
                    video.offers(Side::Phone, negotiated.video_of_peer);
                    video.holds(Side::Phone, negotiated.held);
                }
                Err(error) => {
                    self.release_media(phone_slot, now);
                    return Err((error.status(), error.to_string()));
                }
            }
        }
        let terms = video.terms_for(Side::Alexa);
        video.told(Side::Alexa, terms.clone());
        let (slot, our_offer) = match self.offer_first(spoken, terms, now) {
            Ok(made) => made,
            Err(why) => {
                self.release_media(phone_slot, now);
                return Err(busy(&why));
            }
        };
        let traced = self.takes_trace(now, &switchboard.application);
        let ids = Arc::new(CallIds::new(session_id.to_string(), None, traced));
        let from_header = request.headers().from().ok();
        let from = user_of(from_header.as_ref());
        let named = from_header
            .as_ref()
            .and_then(|from| from.display())
            .map(|name| name.into_owned());
        let name = named
            .filter(|name| !name.trim().is_empty())
            .or_else(|| Some(from.clone()).filter(|from| !from.is_empty()));
        let participant = |kind, value: &str, is_originator| Participant {
            id: ParticipantId {
                kind,
                value: value.to_owned(),
            },
            is_originator,
        };
        let caller = if from.is_empty() { "unknown" } else { &from };
        let participants = vec![
            participant(
                crate::config::ParticipantType::RawAddress.into(),
                caller,
                true,
            ),
            participant(room.participant_type.into(), &room.participant, false),
        ];
        let times = switchboard.times.clone();
        let beginning = Beginning {
            session: Session::from_phone(participants, our_offer, name, times, now),
            session_id,
            account: Account {
                user,
                api_endpoint: room.api_endpoint.clone(),
            },
            caller: Caller::Phone,
            people: (from, room.number.clone()),
            way: None,
            video,
            ids: Arc::clone(&ids),
            held,
            slot: Some(slot),
            switchboard: Arc::clone(switchboard),
        };
        let phone = Phone {
            handle,
            slot: phone_slot,
            offers,
            answer,
            offer,
        };
        if let Some(trunk) = &trunk {
            if trunk.config.udp_only {
                self.endpoint.set_udp_only(handle);
            }
            if let Some(wallet) = trunk.wallet.clone() {
                // Some trunks ask for credentials even in calls that they have made.
                let _ = self.endpoint.set_wallet(handle, wallet);
            }
        }
        let key = self.place_gateway(beginning, Some(phone), now);
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(LegId::A)) {
            entry.trunk = trunk;
        }
        if let Some(call) = self.call_mut(key) {
            call.source = source;
        }
        self.own_media(phone_slot, key, LegId::A);
        self.note_dialog(handle, key, LegId::A);
        if let Some(leg) = self.call(key).and_then(|call| call.leg(LegId::A)) {
            self.journal_waiting(key, &leg.call_id, handle, (request, flow));
        }
        self.tell_invite(&ids, flow, request.wire());
        let _ = self.endpoint.trying(now, handle);
        self.carry_out(key);
        Ok(())
    }

    fn place_gateway(
        &mut self,
        beginning: Beginning,
        phone: Option<Phone>,
        now: Instant,
    ) -> super::CallKey {
        let (phone_id, device_id) = (new_call_id(), new_call_id());
        let ids = beginning.ids;
        let application = Arc::clone(&beginning.switchboard.application);
        ids.add_leg(LegId::B, &device_id);
        let mut legs = Vec::with_capacity(2);
        let mut phone_offer = None;
        if let Some(phone) = phone {
            phone_offer = phone.offer;
            ids.add_leg(LegId::A, &phone_id);
            let held = self.count_leg();
            let mut leg = LegEntry::new(LegId::A, phone_id.clone(), LegState::Incoming, held);
            leg.handle = Some(phone.handle);
            leg.media = Some(phone.slot);
            leg.offers = Some(phone.offers);
            leg.answer = phone.answer;
            legs.push(leg);
        }
        let held = self.count_leg();
        let mut device = LegEntry::new(LegId::B, device_id.clone(), LegState::Dialing, held);
        device.media = beginning.slot;
        legs.push(device);
        let caller: Box<str> = beginning.people.0.as_str().into();
        if let Some(capture) = self
            .shared
            .tap
            .single
            .claim([&beginning.people.0, &beginning.people.1])
        {
            let _ = ids.capture_into(capture);
        }
        let call = GatewayCall {
            session: beginning.session,
            transaction: TransactionId::new(beginning.session_id.as_str()),
            session_id: beginning.session_id.clone(),
            account: beginning.account,
            caller: beginning.caller,
            phone: phone_id,
            device: device_id,
            people: beginning.people,
            way: beginning.way,
            began_unix_millis: Now::from_system().unix_millis,
            up_since: None,
            looked: now,
            record: CallRecord::default(),
            video: beginning.video,
            phone_offer,
        };
        let key = self.place(now, |serial| {
            let mut entry = CallEntry::new(serial, call, ids, application, now, beginning.held);
            entry.legs = legs;
            entry.caller = caller;
            entry
        });
        if let Some(slot) = beginning.slot {
            self.own_media(slot, key, LegId::B);
            self.note_ways(key, slot, now);
        }
        self.sessions
            .insert(beginning.session_id.as_str().into(), key);
        count(&self.shared.figures.gateway_calls);
        key
    }
}

/// The phone's leg of a call that it made.
struct Phone {
    handle: CallHandle,
    slot: usize,
    offers: LegOffers,
    answer: Option<Bytes>,
    /// What it has offered.
    offer: Option<Bytes>,
}

fn new_call_id() -> CallId {
    CallId::new(Uuid::new_v4().to_string())
}

/// Who calls, and who is called.
fn both(participants: &[Participant]) -> (Option<ParticipantId>, Option<ParticipantId>) {
    let find = |originator: bool| {
        participants
            .iter()
            .find(|participant| participant.is_originator == originator)
            .map(|participant| participant.id.clone())
    };
    (find(true), find(false))
}

fn way_of(
    route: &GatewayRouteConfig,
    from: Option<&ParticipantId>,
    room: Option<&str>,
    to: &ParticipantId,
) -> Way {
    let from = from.filter(|id| id.kind.as_str() != "COMMUNICATION_PROFILE_ID");
    Way {
        uri: route.uri_for(&to.value),
        trunk: route.trunk.clone(),
        phone: route.phone.clone(),
        user: escaped_user(&to.value),
        caller_id: route
            .caller_id
            .clone()
            .or_else(|| room.map(str::to_owned))
            .or_else(|| from.map(|id| id.value.clone()))
            .unwrap_or_else(|| NOBODY.to_owned()),
        headers: route
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        bounds: route.into(),
    }
}
