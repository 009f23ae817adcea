//! Reads request bodies, only after the head was checked. Each body has limits of size and time, and all its memory
//! must be counted in the budget for bodies.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;

use super::super::body_budget::{MAX_BODY_BYTES, NoRoom, Reservation, Sender};
use super::super::error::{Code, Problem};
use super::super::peer::{Peer, SocketAddress};
use super::super::state::AppState;
use super::parameters::QueryParams;
use crate::base::FieldError;

/// Size of the first buffer of a body that arrives in small pieces, in bytes.
const FIRST_BUFFER: usize = 1024;

/// Request body that is not read yet, with its media type and declared length. The length is within the limit.
pub(in super::super) struct UnreadBody {
    media_type: Option<String>,
    declared: Option<usize>,
    sender: IpAddr,
    body: Body,
}

/// Request body in one buffer, whose memory the budget for bodies counts.
pub(in super::super) struct HeldBody {
    bytes: Vec<u8>,
    held: Reservation,
}

impl FromRequest<AppState> for UnreadBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let declared = length.map(|length| length.parse().unwrap_or(usize::MAX));
        if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
            return Err(too_large());
        }
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        let sender = peer.unwrap_or_else(|| SocketAddress::of(&parts.extensions));
        Ok(Self { media_type: media_type(&parts.headers), declared, sender, body })
    }
}

/// Returns the media type of a body in lower case, without parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

fn too_large() -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("the body is over {MAX_BODY_BYTES} bytes"))
}

impl UnreadBody {
    /// Returns the media type in lower case, without parameters.
    pub(in super::super) fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// Reads the body of a caller whose credential the handler has verified.
    pub(in super::super) async fn read_from_known(self, state: &AppState) -> Result<HeldBody, Problem> {
        self.read(state, Sender::Known).await
    }

    /// Reads the body of a caller whose credential is not verified yet. All such bodies share one part of the memory
    /// for bodies.
    pub(in super::super) async fn read_from_stranger(self, state: &AppState) -> Result<HeldBody, Problem> {
        let sender = Sender::Stranger(self.sender);
        self.read(state, sender).await
    }

    async fn read(mut self, state: &AppState, sender: Sender) -> Result<HeldBody, Problem> {
        let mut body = HeldBody { bytes: Vec::new(), held: state.bodies.reserve(sender) };
        let most = self.declared.unwrap_or(MAX_BODY_BYTES);
        let end = body.held.end();
        let reading = async {
            while let Some(frame) = self.body.frame().await {
                let frame = frame.map_err(|_| FieldError::new("body", "ended before its Content-Length"))?;
                // Trailers are ignored.
                if let Some(data) = frame.data_ref() {
                    body.append(data, most).await?;
                }
            }
            Ok(())
        };
        tokio::select! {
            biased;
            read = tokio::time::timeout(state.limits.body_within, reading) => {
                let late = "the body did not arrive within the time limit";
                read.unwrap_or_else(|_| Err(Problem::new(Code::RequestTimeout, late)))?;
            }
            () = end.notified() => return Err(Problem::no_room_for_body()),
        }
        body.held.arrived();
        Ok(body)
    }
}

impl HeldBody {
    /// Appends a copy of the bytes, because a frame would keep the connection's whole read buffer in memory.
    async fn append(&mut self, data: &[u8], most: usize) -> Result<(), Problem> {
        let needed = self.bytes.len() + data.len();
        if needed > MAX_BODY_BYTES {
            return Err(too_large());
        }
        if needed > self.bytes.capacity() {
            let size = (self.bytes.capacity() * 2).max(FIRST_BUFFER).min(most).max(needed);
            self.held.grow_to(size).await.map_err(|_: NoRoom| Problem::no_room_for_body())?;
            self.bytes.reserve_exact(size - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Returns the bytes.
    pub(in super::super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes and the reservation of their memory. Keep the reservation for as long as anything parsed from
    /// the bytes exists.
    pub(super) fn into_parts(self) -> (Vec<u8>, Reservation) {
        (self.bytes, self.held)
    }
}

/// Form (`application/x-www-form-urlencoded`) that is not read yet.
pub(in super::super) struct UnreadForm(UnreadBody);

/// Parameters of a form.
pub(in super::super) struct FormParams {
    pub(in super::super) values: QueryParams,
    /// Counts the memory of the form until the handler drops it.
    _held: Reservation,
}

impl FromRequest<AppState> for UnreadForm {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        UnreadBody::from_request(request, state).await.map(Self)
    }
}

impl UnreadForm {
    /// Reads the form of a caller whose credential the handler has verified.
    pub(in super::super) async fn read_from_known(self, state: &AppState) -> Result<FormParams, Problem> {
        self.read(state, Sender::Known).await
    }

    /// Reads the form of a caller whose credential is not verified yet.
    pub(in super::super) async fn read_from_stranger(self, state: &AppState) -> Result<FormParams, Problem> {
        let sender = Sender::Stranger(self.0.sender);
        self.read(state, sender).await
    }

    /// Reads the form. A body of another media type counts as an empty form and is not read.
    async fn read(self, state: &AppState, sender: Sender) -> Result<FormParams, Problem> {
        if self.0.media_type() != Some("application/x-www-form-urlencoded") {
            return Ok(FormParams { values: QueryParams::read("")?, _held: state.bodies.reserve(sender) });
        }
        let (bytes, held) = self.0.read(state, sender).await?.into_parts();
        let text = std::str::from_utf8(&bytes).map_err(|_| FieldError::new("body", "must be UTF-8"))?;
        Ok(FormParams { values: QueryParams::read(text)?, _held: held })
    }
}
