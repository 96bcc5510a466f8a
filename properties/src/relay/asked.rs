//! What is asked of store and model, told by four bytes: what, of which thing, and how. Things are few, so that steps meet.

use super::names::FIRST_DAY;

/// Which of a thing's tokens is shown. All but one of them are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Right,
    /// The same thing's token for something else.
    OtherRole,
    /// The same kind of token of another thing.
    OtherThing,
}

/// What is shown to read a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Token(Shown),
    Ticket(u8, Shown),
    /// A ticket, and one of a few claims of it.
    Claim(u8, Shown, u8),
}

/// What a ticket is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TicketTerms {
    pub(super) variant: u8,
    /// 0 is no limit.
    pub(super) downloads: u8,
    /// First day on which it is over.
    pub(super) ends: Option<u32>,
}

/// What a blob is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Open, with so many chunks.
    Open(u32),
    /// Stored whole, its only chunk of these contents.
    Whole(u8),
    /// Whole, and its chunk is of no size class.
    WholeOfNoClass,
    /// Whole, and said to have two chunks.
    WholeOfTwo,
}

/// What is shown to pay: credits that follow one another, or one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paying {
    pub(super) first: u8,
    pub(super) count: u8,
    pub(super) twice: bool,
}

const NOTHING: Paying = Paying { first: 0, count: 0, twice: false };

impl Paying {
    /// Their names.
    pub(super) fn credits(self) -> Vec<u8> {
        let step = u8::from(!self.twice);
        (0..self.count).map(|n| (self.first + n * step) % CREDITS).collect()
    }
}

/// Where an appender believes the log to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Where it stands.
    Here,
    /// So many entries before that.
    Before(u64),
    /// At the right count, with another hash.
    OtherHash,
    /// Beyond every log.
    Beyond,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Invite { invitation: u8, days: u32 },
    CheckInvitation { invitation: u8 },
    Register { account: u8, invitation: u8, variant: u8 },
    OpenAccount { account: u8 },
    LoginRecord { account: u8 },
    StartSession { account: u8, session: u8, days: u32 },
    Authenticate { session: u8 },
    EndSession { session: u8 },
    DrawCredits { session: u8, request: u8, wanted: [u8; 2] },
    CreateBlob { blob: u8, paying: Paying, shape: Shape },
    GrowBlob { blob: u8, shown: Shown, chunks: u32, paying: Paying },
    ExtendLease { blob: u8, shown: Shown, paying: Paying },
    PutChunk { blob: u8, n: u32, shown: Shown, contents: u8, right_size: bool },
    FinishBlob { blob: u8, shown: Shown, right_digest: bool, manifest: u8 },
    HeldChunks { blob: u8, shown: Shown, from: u32 },
    ReadChunk { blob: u8, n: u32, reading: Reading },
    ReadManifest { blob: u8, reading: Reading },
    DestroyBlob { blob: u8, shown: Shown },
    Refund { blob: u8, shown: Shown, order: u8, units: u8 },
    CreateTicket { ticket: u8, blob: u8, shown: Shown, terms: TicketTerms },
    TakeClaim { ticket: u8, shown: Shown, claim: u8 },
    ReadTicket { ticket: u8, shown: Shown },
    EndTicket { ticket: u8, blob: u8, shown: Shown },
    CreateLog { log: u8, paying: Paying, paid: u32, entries: u8, contents: u8 },
    GrowLog { log: u8, shown: Shown, held: u32, paid: u32, paying: Paying },
    Append { log: u8, shown: Shown, expected: Expected, entries: u8, contents: u8 },
    ReadLog { log: u8, shown: Shown, from: u64 },
    NextDay,
    NextSeason,
    Reopen,
}

pub(super) const ACCOUNTS: u8 = 2;
pub(super) const BLOBS: u8 = 2;
pub(super) const TICKETS: u8 = 2;
pub(super) const LOGS: u8 = 2;
pub(super) const SESSIONS: u8 = 3;
const CLAIMS: u8 = 3;
pub(super) const CREDITS: u8 = 8;
const INVITATIONS: u8 = 3;

impl Asked {
    /// What four bytes tell. Zeros are the simplest, so that a failing sequence shrinks towards them.
    pub(super) fn told_by([what, thing, how, more]: [u8; 4]) -> Self {
        let days = u32::from(more % 3);
        match what % 38 {
            0 => Self::Invite { invitation: thing % INVITATIONS, days },
            1 | 2 => {
                Self::Register { account: thing % ACCOUNTS, invitation: how % INVITATIONS, variant: more % 2 }
            }
            3 | 4 => Self::StartSession { account: thing % ACCOUNTS, session: how % SESSIONS, days },
            5..=7 => {
                let wanted = [more % 5, more / 8 % 3];
                Self::DrawCredits { session: thing % SESSIONS, request: how % CREDITS, wanted }
            }
            8..=10 => Self::CreateBlob { blob: thing % BLOBS, paying: paying(how), shape: shape(more) },
            36 => Self::ExtendLease { blob: thing % BLOBS, shown: shown(more), paying: paying(how) },
            35 => Self::Refund {
                blob: thing % BLOBS,
                shown: shown(more),
                order: how % 2,
                units: [1, 16, 17, 255][usize::from(more / 8 % 4)],
            },
            34 => Self::GrowBlob {
                blob: thing % BLOBS,
                shown: shown(more),
                chunks: [3, 4, 2, u32::MAX][usize::from(more / 8 % 4)],
                paying: if more / 32 % 2 == 0 { paying(how) } else { NOTHING },
            },
            11 | 12 => Self::PutChunk {
                blob: thing % BLOBS,
                n: u32::from(how % 3),
                shown: shown(more),
                contents: more / 8 % 2,
                right_size: more / 16 % 4 != 3,
            },
            13 | 14 => Self::FinishBlob {
                blob: thing % BLOBS,
                shown: shown(more),
                right_digest: how % 4 != 3,
                manifest: how / 4 % 3,
            },
            15 => Self::ReadChunk { blob: thing % BLOBS, n: u32::from(how % 3), reading: reading(more) },
            16 => Self::ReadManifest { blob: thing % BLOBS, reading: reading(more) },
            17 => Self::DestroyBlob { blob: thing % BLOBS, shown: shown(more) },
            18 | 19 => Self::CreateTicket {
                ticket: thing % TICKETS,
                blob: how % BLOBS,
                shown: shown(more),
                terms: TicketTerms {
                    variant: more / 8 % 3,
                    downloads: how / 2 % 3,
                    ends: [None, None, Some(FIRST_DAY.0 + 1), Some(FIRST_DAY.0 + 3)]
                        [usize::from(how / 8 % 4)],
                },
            },
            20 => Self::ReadTicket { ticket: thing % TICKETS, shown: shown(more) },
            21 => Self::EndTicket { ticket: thing % TICKETS, blob: how % BLOBS, shown: shown(more) },
            22 => Self::CreateLog {
                log: thing % LOGS,
                paying: paying(how),
                paid: [1, 2, 16, 0][usize::from(more / 32 % 4)],
                entries: more % 5,
                contents: more / 8 % 3,
            },
            37 => Self::GrowLog {
                log: thing % LOGS,
                shown: shown(more),
                held: [1, 16, 2, 17][usize::from(how / 64)],
                paid: [2, 17, 3, u32::MAX][usize::from(more / 8 % 4)],
                paying: paying(how),
            },
            23..=25 => Self::Append {
                log: thing % LOGS,
                shown: shown(more),
                expected: expected(how),
                entries: more / 8 % 4,
                contents: more / 32 % 4,
            },
            26 => Self::ReadLog { log: thing % LOGS, shown: shown(more), from: from(how) },
            27 => Self::EndSession { session: thing % SESSIONS },
            28 => Self::Authenticate { session: thing % SESSIONS },
            29 => Self::CheckInvitation { invitation: thing % INVITATIONS },
            30 if thing % 4 == 3 => Self::NextSeason,
            30 => Self::NextDay,
            32 | 33 => Self::TakeClaim { ticket: thing % TICKETS, shown: shown(more), claim: how % CLAIMS },
            _ => match thing % 4 {
                0 => Self::Reopen,
                3 => {
                    Self::HeldChunks { blob: how % BLOBS, shown: shown(more), from: u32::from(more / 8 % 3) }
                }
                1 => Self::OpenAccount { account: how % ACCOUNTS },
                _ => Self::LoginRecord { account: how % ACCOUNTS },
            },
        }
    }

    /// Everything that can be read, with everything that reads it.
    pub(super) fn everything_readable() -> Vec<Self> {
        let mut all = vec![Self::Reopen];
        for account in 0..ACCOUNTS {
            all.extend([Self::OpenAccount { account }, Self::LoginRecord { account }]);
        }
        all.extend((0..SESSIONS).map(|session| Self::Authenticate { session }));
        all.extend((0..INVITATIONS).map(|invitation| Self::CheckInvitation { invitation }));
        for blob in 0..BLOBS {
            all.push(Self::HeldChunks { blob, shown: Shown::Right, from: 0 });
            let tickets = (0..TICKETS).map(|ticket| Reading::Ticket(ticket, Shown::Right));
            let claims =
                (0..TICKETS * CLAIMS).map(|both| Reading::Claim(both / CLAIMS, Shown::Right, both % CLAIMS));
            for reading in tickets.chain(claims).chain([Reading::Token(Shown::Right)]) {
                all.push(Self::ReadManifest { blob, reading });
                all.extend((0..3).map(|n| Self::ReadChunk { blob, n, reading }));
            }
        }
        all.extend((0..TICKETS).map(|ticket| Self::ReadTicket { ticket, shown: Shown::Right }));
        all.extend((0..LOGS).map(|log| Self::ReadLog { log, shown: Shown::Right, from: 0 }));
        all
    }
}

fn shown(byte: u8) -> Shown {
    match byte % 8 {
        6 => Shown::OtherRole,
        7 => Shown::OtherThing,
        _ => Shown::Right,
    }
}

fn reading(byte: u8) -> Reading {
    if byte & 8 == 0 {
        Reading::Token(shown(byte))
    } else {
        let ticket = byte / 16 % TICKETS;
        match byte / 32 % 4 {
            0 => Reading::Ticket(ticket, shown(byte)),
            claim => Reading::Claim(ticket, shown(byte), claim - 1),
        }
    }
}

fn shape(byte: u8) -> Shape {
    match byte % 8 {
        0 | 1 => Shape::Whole(byte / 8 % 2),
        2 | 3 => Shape::Open(1),
        4 => Shape::Open(2),
        5 => Shape::Open(if byte & 8 == 0 { 0 } else { u32::MAX }),
        6 => Shape::WholeOfNoClass,
        _ => Shape::WholeOfTwo,
    }
}

fn paying(byte: u8) -> Paying {
    let (first, how) = (byte % CREDITS, byte / CREDITS % 8);
    match how {
        4 | 5 => Paying { first, count: 3, twice: false },
        3 | 6 => Paying { first, count: 2, twice: false },
        7 => Paying { first, count: 2, twice: true },
        _ => Paying { first, count: 1, twice: false },
    }
}

fn expected(byte: u8) -> Expected {
    match byte % 8 {
        4 | 5 => Expected::Before(u64::from(byte / 8 % 4) + 1),
        6 => Expected::OtherHash,
        7 => Expected::Beyond,
        _ => Expected::Here,
    }
}

fn from(byte: u8) -> u64 {
    match byte % 8 {
        7 => u64::MAX,
        number => u64::from(number),
    }
}
