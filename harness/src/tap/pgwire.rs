//! What PostgreSQL's protocol says in plaintext before a session stands
//! (PostgreSQL manual, "Message Formats"; `src/include/libpq/pqcomm.h`).

use postgres_protocol::message::backend::{
    AUTHENTICATION_TAG, ERROR_RESPONSE_TAG, Header, READY_FOR_QUERY_TAG,
};

use super::{
    transcript::Event,
    unit::{Garbled, Parsed, Unit, text},
};

/// `MAX_STARTUP_PACKET_LENGTH`; the server drops a client that claims more.
const LONGEST_PACKET: usize = 10_000;

/// `PG_MAX_AUTH_TOKEN_LENGTH` and a tag; libpq takes no error above 30,000.
const LONGEST_MESSAGE: usize = 65_536;

/// More protocol options than any client asks for.
const MOST_OPTIONS: u32 = 64;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// The only major version of the protocol that is in use.
const MAJOR: u32 = 3;

const NEGOTIATE_PROTOCOL_VERSION_TAG: u8 = b'v';
const PASSWORD_TAG: u8 = b'p';

/// Reads one of the untagged packets that a client opens with: a request for
/// encryption, a cancellation, or the `StartupMessage`.
///
/// # Errors
/// When the length or the code belongs to none of them.
pub fn packet(unread: &[u8]) -> Parsed<Event> {
    const GARBLED: Garbled = Garbled("StartupMessage or a request for encryption");
    let Some(length) = word(unread, 0) else {
        return Ok(None);
    };
    let length = length as usize;
    if !(8..=LONGEST_PACKET).contains(&length) {
        return Err(GARBLED);
    }
    let Some(packet) = unread.get(..length) else {
        return Ok(None);
    };
    let event = match word(packet, 4) {
        Some(SSL_REQUEST) => Event::SslRequest,
        Some(GSSENC_REQUEST) => Event::GssEncRequest,
        Some(CANCEL_REQUEST) => Event::CancelRequest,
        Some(version) if version >> 16 == MAJOR => startup(version, &packet[8..]).ok_or(GARBLED)?,
        _ => return Err(GARBLED),
    };
    Ok(Some(Unit::whole(event, length)))
}

/// Reads the header of a message that a client sends after its
/// `StartupMessage`. Its body is passed over: it may be a secret.
///
/// # Errors
/// When there is no such tag, or the length is beyond reason.
pub fn client_message(unread: &[u8]) -> Parsed<Option<Event>> {
    Ok(header(unread)?.map(|(tag, length)| Unit {
        value: (tag == PASSWORD_TAG).then_some(Event::Password),
        taken: HEADER,
        skipped: length,
    }))
}

/// Reads a message of the server. Those that say nothing about the way into
/// the session are passed over, the key in `BackendKeyData` among them.
///
/// # Errors
/// When there is no such tag, the length is beyond reason, or the body is not
/// what the tag promised.
pub fn server_message(unread: &[u8]) -> Parsed<Option<Event>> {
    let Some((tag, length)) = header(unread)? else {
        return Ok(None);
    };
    let parse: fn(&[u8]) -> Option<Event> = match tag {
        AUTHENTICATION_TAG => authentication,
        ERROR_RESPONSE_TAG => error,
        NEGOTIATE_PROTOCOL_VERSION_TAG => negotiate_protocol_version,
        READY_FOR_QUERY_TAG => |_| Some(Event::Ready),
        _ => {
            return Ok(Some(Unit {
                value: None,
                taken: HEADER,
                skipped: length,
            }));
        }
    };
    let Some(body) = unread.get(HEADER..HEADER + length) else {
        return Ok(None);
    };
    let event = parse(body).ok_or(GARBLED_MESSAGE)?;
    Ok(Some(Unit::whole(Some(event), HEADER + length)))
}

/// Whether the text has the form of an SQLSTATE: five digits or capitals.
#[must_use]
pub fn is_sqlstate(code: &str) -> bool {
    code.len() == 5
        && code
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// Bytes of a tag and a length.
const HEADER: usize = 5;

const GARBLED_MESSAGE: Garbled = Garbled("a message of PostgreSQL's protocol");

/// The tag of a message and the length of its body.
fn header(unread: &[u8]) -> Result<Option<(u8, usize)>, Garbled> {
    // Tell nonsense from the first byte on: the rest may never come.
    if unread
        .first()
        .is_some_and(|tag| !tag.is_ascii_alphanumeric())
    {
        return Err(GARBLED_MESSAGE);
    }
    let Some(header) = Header::parse(unread).map_err(|_| GARBLED_MESSAGE)? else {
        return Ok(None);
    };
    match usize::try_from(header.len()) {
        Ok(length @ 4..=LONGEST_MESSAGE) => Ok(Some((header.tag(), length - 4))),
        _ => Err(GARBLED_MESSAGE),
    }
}

fn startup(version: u32, body: &[u8]) -> Option<Event> {
    let mut strings = CStrings(body);
    let mut parameters = Vec::new();
    loop {
        let name = text(strings.next()?);
        if name.is_empty() {
            break;
        }
        let value = text(strings.next()?);
        parameters.push((name, value));
    }
    for (name, value) in &mut parameters {
        // The protocol has no such parameter; a driver with a defect might.
        if name.to_ascii_lowercase().contains("pass") {
            "(not kept)".clone_into(value);
        }
    }
    Some(Event::Startup {
        protocol: protocol(version),
        parameters,
    })
}

fn authentication(body: &[u8]) -> Option<Event> {
    let kind = match word(body, 0)? {
        0 => "ok",
        2 => "kerberos-v5",
        3 => "cleartext-password",
        5 => "md5-password",
        7 => "gss",
        8 => "gss-continue",
        9 => "sspi",
        10 => "sasl",
        11 => "sasl-continue",
        12 => "sasl-final",
        _ => return None,
    };
    Some(Event::Authentication {
        kind: kind.to_owned(),
    })
}

/// Fields are a type byte and a string each, and a zero ends them. `V` is the
/// severity that is never translated, since 9.6; `S` the one that may be.
fn error(body: &[u8]) -> Option<Event> {
    let mut fields = CStrings(body);
    let (mut severity, mut translated, mut sqlstate, mut message) = (None, None, None, None);
    loop {
        let field = fields.next()?;
        let Some((kind, value)) = field.split_first() else {
            break;
        };
        match kind {
            b'V' => severity = Some(text(value)),
            b'S' => translated = Some(text(value)),
            b'C' => sqlstate = Some(text(value)),
            b'M' => message = Some(text(value)),
            _ => {}
        }
    }
    Some(Event::Error {
        severity: severity.or(translated)?,
        sqlstate: sqlstate.filter(|code| is_sqlstate(code))?,
        message: message?,
    })
}

/// The version is whole, major and minor, though the manual says minor alone
/// (`SendNegotiateProtocolVersion` in `backend_startup.c`).
fn negotiate_protocol_version(body: &[u8]) -> Option<Event> {
    let newest = word(body, 0)?;
    let count = word(body, 4).filter(|count| *count <= MOST_OPTIONS)?;
    let mut strings = CStrings(&body[8..]);
    let unknown = (0..count)
        .map(|_| strings.next().map(text))
        .collect::<Option<_>>()?;
    Some(Event::NegotiateProtocolVersion {
        newest: protocol(newest),
        unknown,
    })
}

fn protocol(version: u32) -> String {
    format!("{}.{}", version >> 16, version & 0xFFFF)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

/// Strings that a zero byte ends; a rest without one is no string.
struct CStrings<'a>(&'a [u8]);

impl<'a> Iterator for CStrings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let (string, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(string)
    }
}
