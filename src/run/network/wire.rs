//! Requests to the kernel by netlink(7), and their answers.

use std::cell::Cell;
use std::ops::RangeInclusive;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;

use crate::spec::InterfaceName;
use crate::sys::{CallError, Errno, Netlink, Syscall};

/// What the kernel did not do.
#[derive(Clone, Debug)]
pub(super) struct NetlinkError {
    pub trouble: CallError,
    /// Why, in its own words, where it has any.
    pub words: Option<String>,
    /// The interface that there is none of.
    pub missing: Option<InterfaceName>,
}

impl From<CallError> for NetlinkError {
    fn from(trouble: CallError) -> Self {
        Self { trouble, words: None, missing: None }
    }
}

impl NetlinkError {
    pub fn new(errno: i32) -> Self {
        CallError { syscall: Syscall::Sendto, errno: Errno::new(errno) }.into()
    }
}

/// A socket, and the number of the last request.
#[derive(Debug)]
pub(super) struct Wire {
    pub netlink: Netlink,
    sequence: Cell<u32>,
}

/// The attribute of an error that says in words what is wrong: `NLMSGERR_ATTR_MSG`, Linux 4.12.
const WORDS: u16 = 1;
/// How long the header of a message is.
const HEADER: usize = 16;

impl Wire {
    pub fn new(netlink: Netlink) -> Self {
        Self { netlink, sequence: Cell::new(0) }
    }

    /// The number of the next request.
    pub fn next(&self) -> u32 {
        self.sequence.set(self.sequence.get().wrapping_add(1));
        self.sequence.get()
    }

    /// Has something done, and waits until it is.
    pub fn request(&self, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        let sequence = self.next();
        self.netlink.send(&serialized(message, flags | NLM_F_ACK, sequence))?;
        self.answers(sequence).map(drop)
    }

    /// Asks for one thing.
    pub fn ask(
        &self,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let sequence = self.next();
        self.netlink.send(&serialized(message, NLM_F_ACK, sequence))?;
        self.answers(sequence)
    }

    /// Asks for all that there are.
    pub fn list(
        &self,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let sequence = self.next();
        self.netlink.send(&serialized(message, NLM_F_DUMP, sequence))?;
        self.answers(sequence)
    }

    /// Sends several messages as one, and waits until what those with these numbers ask for is
    /// done.
    pub fn batch(&self, messages: &[u8], numbers: RangeInclusive<u32>) -> Result<(), NetlinkError> {
        self.netlink.send(messages)?;
        self.each(|answer| match answer.kind {
            ERROR if numbers.contains(&answer.sequence) => {
                answer.error().map(|()| answer.sequence == *numbers.end())
            }
            _ => Ok(false),
        })
    }

    /// Sends a request for a list, and returns the messages of the answer behind their headers.
    /// `None` if the list changed meanwhile.
    pub fn dump(
        &self,
        request: &[u8],
        sequence: u32,
    ) -> Result<Option<Vec<Vec<u8>>>, NetlinkError> {
        self.netlink.send(request)?;
        let (mut found, mut interrupted) = (Vec::new(), false);
        self.each(|answer| {
            if answer.sequence != sequence {
                return Ok(false);
            }
            interrupted |= answer.flags & NLM_F_DUMP_INTR != 0;
            match answer.kind {
                ERROR => answer.error().map(|()| true),
                DONE => Ok(true),
                _ => {
                    found.push(answer.bytes.get(HEADER..).unwrap_or_default().to_vec());
                    Ok(false)
                }
            }
        })?;
        Ok((!interrupted).then_some(found))
    }

    /// Everything that is answered to request `sequence`, to the end.
    fn answers(&self, sequence: u32) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let mut found = Vec::new();
        self.each(|answer| {
            match answer.kind {
                _ if answer.sequence != sequence => {}
                ERROR => return answer.error().map(|()| true),
                DONE => return Ok(true),
                // What this knows nothing of is passed over.
                _ => {
                    if let Ok(NetlinkMessage {
                        payload: NetlinkPayload::InnerMessage(inner), ..
                    }) = NetlinkMessage::deserialize(answer.bytes)
                    {
                        found.push(inner);
                    }
                }
            }
            Ok(false)
        })?;
        Ok(found)
    }

    /// Gives one message after the other to `take`, until that has enough.
    fn each(
        &self,
        mut take: impl FnMut(&Said<'_>) -> Result<bool, NetlinkError>,
    ) -> Result<(), NetlinkError> {
        loop {
            let bytes = self.netlink.receive()?;
            let mut rest = &bytes[..];
            while let Some(said) = Said::first(rest) {
                rest = rest.get(said.bytes.len().next_multiple_of(4)..).unwrap_or_default();
                if take(&said)? {
                    return Ok(());
                }
            }
        }
    }
}

/// The kinds of messages that end an answer: netlink(7).
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// A message of the kernel.
struct Said<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    /// With its header.
    bytes: &'a [u8],
}

impl<'a> Said<'a> {
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let number = |place: usize| -> Option<u32> {
            let four = bytes.get(place..place + 4)?;
            four.try_into().ok().map(u32::from_ne_bytes)
        };
        let length = usize::try_from(number(0)?).ok().filter(|length| *length >= HEADER)?;
        let kind = u16::from_ne_bytes([*bytes.get(4)?, *bytes.get(5)?]);
        let flags = u16::from_ne_bytes([*bytes.get(6)?, *bytes.get(7)?]);
        Some(Self { kind, flags, sequence: number(8)?, bytes: bytes.get(..length)? })
    }

    /// What the kernel says behind the header of what it refuses; nothing where it has done it.
    fn error(&self) -> Result<(), NetlinkError> {
        let code = self.bytes.get(HEADER..HEADER + 4).and_then(|four| four.try_into().ok());
        let code = i32::from_ne_bytes(code.unwrap_or_default());
        if code == 0 {
            return Ok(());
        }
        // It repeats the header of the request.
        let attributes = self.bytes.get(HEADER + 4 + HEADER..).unwrap_or_default();
        let words = NlasIterator::new(attributes).flatten().find(|one| one.kind() == WORDS);
        let words = words.map(|one| {
            let text = String::from_utf8_lossy(one.value()).into_owned();
            crate::diag::escape(text.trim_end_matches(['\0', '.', ' ']))
        });
        let errno = Errno::new(code.wrapping_neg());
        Err(NetlinkError {
            trouble: CallError { syscall: Syscall::Sendto, errno },
            words,
            missing: None,
        })
    }
}

fn serialized(message: RouteNetlinkMessage, flags: u16, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    (header.flags, header.sequence_number) = (NLM_F_REQUEST | flags, sequence);
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
