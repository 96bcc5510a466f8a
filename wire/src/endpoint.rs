//! The endpoints: which method and path mean what, and how long a body may be.

use crate::{
    ids::{BlobId, SessionId, SpaceId, TicketId},
    limits::{MAX_CHUNKS, MAX_ENTRIES_BODY, MAX_LARGE_BODY, MAX_SMALL_BODY},
    size_class::SizeClass,
};

/// A request's target, parsed: past this type every id has the right form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Reads what the relay says of itself.
    RelayInfo,
    /// Earns an invitation.
    EarnInvitation,
    /// First half of a registration.
    RegisterStart,
    /// Second half of a registration.
    RegisterFinish,
    /// First half of a login.
    LoginStart,
    /// Second half of a login.
    LoginFinish,
    /// Begins a change of what opens the account, by a login.
    PasswdStart,
    /// Begins a change of what opens the account, by the recovery phrase.
    RecoverStart,
    /// Changes what opens the account.
    ChangeFinish,
    /// Removes the account of a login.
    RemoveAccount,
    /// Lists the account's sessions.
    ListSessions,
    /// Ends all sessions of the account.
    EndSessions,
    /// Ends a session of the account.
    EndSession(SessionId),
    /// Fetches credits.
    FetchCredits,
    /// Makes a blob.
    CreateBlob,
    /// Stores one sealed chunk.
    PutChunk(BlobId, u32),
    /// Reads one sealed chunk.
    GetChunk(BlobId, u32),
    /// Closes a blob.
    FinishBlob(BlobId),
    /// Pays for more chunks of an unfinished blob.
    GrowBlob(BlobId),
    /// Makes the lease of a finished blob longer.
    ExtendLease(BlobId),
    /// Lists the chunks that an unfinished blob holds, from a number on.
    HeldChunks(BlobId, u32),
    /// Reads the sealed manifest.
    GetHead(BlobId),
    /// Replaces a blob's read token and write key.
    RenewBlob(BlobId),
    /// Destroys a blob and its tickets.
    DestroyBlob(BlobId),
    /// Gives back what a destroyed blob was paid with.
    RefundBlob(BlobId),
    /// Makes a ticket.
    CreateTicket,
    /// Reads a ticket's envelope.
    GetTicket(TicketId),
    /// Takes a claim of a ticket, and reads its envelope.
    TakeClaim(TicketId),
    /// Ends a ticket.
    EndTicket(TicketId),
    /// Makes a log with its first entries.
    CreateLog,
    /// Appends entries to a log.
    AppendLog(SpaceId),
    /// Pays for more entries of a log.
    GrowLog(SpaceId),
    /// Reads entries of a log, from a number on.
    ReadLog(SpaceId, u64),
}

/// One line of the endpoint table in `docs/protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointRow {
    /// HTTP method.
    pub method: &'static str,
    /// Path with its parameters in braces.
    pub path: &'static str,
    /// Which plane: `account` or `data`.
    pub plane: &'static str,
    /// What the request must show.
    pub shows: &'static str,
    /// Request body.
    pub request: &'static str,
    /// Body of the answer.
    pub answer: &'static str,
    /// Bytes of the request's body at most.
    pub max_body: usize,
}

const fn row(
    method: &'static str,
    path: &'static str,
    plane: &'static str,
    shows: &'static str,
    request: &'static str,
    answer: &'static str,
    max_body: usize,
) -> EndpointRow {
    EndpointRow { method, path, plane, shows, request, answer, max_body }
}

const CHUNK: usize = SizeClass::FULL.sealed();

/// The table.
pub const ENDPOINTS: [EndpointRow; 33] = [
    row("GET", "/v1/relay", "account", "nothing", "empty", "RelayInfo", 0),
    row("POST", "/v1/invitations", "account", "work", "EarnInvitation", "EarnedInvitation", MAX_SMALL_BODY),
    row(
        "POST",
        "/v1/register/1",
        "account",
        "invitation",
        "RegisterStart",
        "RegisterStarted",
        MAX_SMALL_BODY,
    ),
    row("POST", "/v1/register/2", "account", "invitation", "RegisterFinish", "empty", MAX_SMALL_BODY),
    row("POST", "/v1/login/1", "account", "nothing", "LoginStart", "LoginStarted", MAX_SMALL_BODY),
    row("POST", "/v1/login/2", "account", "nothing", "LoginFinish", "LoggedIn", MAX_SMALL_BODY),
    row("POST", "/v1/passwd", "account", "login", "PasswdStart", "PasswdStarted", MAX_SMALL_BODY),
    row("POST", "/v1/recover", "account", "recovery token", "RecoverStart", "RecoverStarted", MAX_SMALL_BODY),
    row("POST", "/v1/change", "account", "change", "ChangeFinish", "empty", MAX_SMALL_BODY),
    row("POST", "/v1/remove", "account", "login", "LoginFinish", "empty", MAX_SMALL_BODY),
    row("GET", "/v1/sessions", "account", "session", "empty", "Sessions", 0),
    row("DELETE", "/v1/sessions", "account", "session", "empty", "empty", 0),
    row("DELETE", "/v1/sessions/{session}", "account", "session", "empty", "empty", 0),
    row("POST", "/v1/credits", "account", "session", "CreditOrder", "Credits", MAX_SMALL_BODY),
    row("POST", "/v1/blobs", "data", "credits", "CreateBlob", "Leased", MAX_LARGE_BODY),
    row("PUT", "/v1/blobs/{blob}/{n}", "data", "write key", "sealed chunk", "empty", CHUNK),
    row("GET", "/v1/blobs/{blob}/{n}", "data", "read token, ticket or claim", "empty", "sealed chunk", 0),
    row(
        "POST",
        "/v1/blobs/{blob}/finish",
        "data",
        "write key",
        "FinishBlob",
        "Leased",
        CHUNK + MAX_SMALL_BODY,
    ),
    row("POST", "/v1/blobs/{blob}/grow", "data", "write key", "GrowBlob", "empty", MAX_SMALL_BODY),
    row("POST", "/v1/blobs/{blob}/lease", "data", "write key", "ExtendLease", "Leased", MAX_SMALL_BODY),
    row("GET", "/v1/blobs/{blob}/have/{n}", "data", "write key", "empty", "HeldChunks", 0),
    row("GET", "/v1/blobs/{blob}/head", "data", "read token, ticket or claim", "empty", "sealed manifest", 0),
    row("POST", "/v1/blobs/{blob}/renew", "data", "write key", "RenewBlob", "empty", MAX_SMALL_BODY),
    row("DELETE", "/v1/blobs/{blob}", "data", "write key", "empty", "Destroyed", 0),
    row("POST", "/v1/blobs/{blob}/refund", "data", "write key", "CreditOrder", "Credits", MAX_SMALL_BODY),
    row("POST", "/v1/tickets", "data", "write key", "CreateTicket", "empty", MAX_SMALL_BODY),
    row("GET", "/v1/tickets/{ticket}", "data", "ticket", "empty", "ticket envelope", 0),
    row(
        "POST",
        "/v1/tickets/{ticket}/claims",
        "data",
        "ticket",
        "TakeClaim",
        "ticket envelope",
        MAX_SMALL_BODY,
    ),
    row("DELETE", "/v1/tickets/{ticket}", "data", "write key", "empty", "empty", 0),
    row("POST", "/v1/logs", "data", "credits", "CreateLog", "empty", MAX_ENTRIES_BODY),
    row("POST", "/v1/logs/{space}", "data", "append token", "Append", "empty", MAX_ENTRIES_BODY),
    row("POST", "/v1/logs/{space}/grow", "data", "append token", "GrowLog", "empty", MAX_SMALL_BODY),
    row("GET", "/v1/logs/{space}/{from}", "data", "read token", "empty", "LogPage", 0),
];

impl Endpoint {
    /// The endpoint of a method and a path; `None` if there is no such endpoint or an id has another form than the
    /// canonical one. A query is never part of a path.
    #[must_use]
    pub fn parse(method: &str, path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/")?;
        let mut segments = rest.split('/');
        let (first, second, third) = (segments.next()?, segments.next(), segments.next());
        let fourth = segments.next();
        if segments.next().is_some() {
            return None;
        }
        if let Some(n) = fourth {
            return match (method, first, second, third) {
                ("GET", "blobs", Some(blob), Some("have")) => {
                    Some(Self::HeldChunks(blob.parse().ok()?, chunk_index(n)?))
                }
                _ => None,
            };
        }
        match (method, first, second, third) {
            ("GET", "relay", None, None) => Some(Self::RelayInfo),
            ("POST", "invitations", None, None) => Some(Self::EarnInvitation),
            ("POST", "register", Some("1"), None) => Some(Self::RegisterStart),
            ("POST", "register", Some("2"), None) => Some(Self::RegisterFinish),
            ("POST", "login", Some("1"), None) => Some(Self::LoginStart),
            ("POST", "login", Some("2"), None) => Some(Self::LoginFinish),
            ("POST", "passwd", None, None) => Some(Self::PasswdStart),
            ("POST", "recover", None, None) => Some(Self::RecoverStart),
            ("POST", "change", None, None) => Some(Self::ChangeFinish),
            ("POST", "remove", None, None) => Some(Self::RemoveAccount),
            ("GET", "sessions", None, None) => Some(Self::ListSessions),
            ("DELETE", "sessions", None, None) => Some(Self::EndSessions),
            ("DELETE", "sessions", Some(session), None) => Some(Self::EndSession(session.parse().ok()?)),
            ("POST", "credits", None, None) => Some(Self::FetchCredits),
            ("POST", "blobs", None, None) => Some(Self::CreateBlob),
            ("POST", "blobs", Some(blob), Some("finish")) => Some(Self::FinishBlob(blob.parse().ok()?)),
            ("POST", "blobs", Some(blob), Some("grow")) => Some(Self::GrowBlob(blob.parse().ok()?)),
            ("POST", "blobs", Some(blob), Some("lease")) => Some(Self::ExtendLease(blob.parse().ok()?)),
            ("POST", "blobs", Some(blob), Some("refund")) => Some(Self::RefundBlob(blob.parse().ok()?)),
            ("GET", "blobs", Some(blob), Some("head")) => Some(Self::GetHead(blob.parse().ok()?)),
            ("PUT", "blobs", Some(blob), Some(n)) => {
                Some(Self::PutChunk(blob.parse().ok()?, chunk_index(n)?))
            }
            ("GET", "blobs", Some(blob), Some(n)) => {
                Some(Self::GetChunk(blob.parse().ok()?, chunk_index(n)?))
            }
            ("POST", "blobs", Some(blob), Some("renew")) => Some(Self::RenewBlob(blob.parse().ok()?)),
            ("DELETE", "blobs", Some(blob), None) => Some(Self::DestroyBlob(blob.parse().ok()?)),
            ("POST", "tickets", None, None) => Some(Self::CreateTicket),
            ("GET", "tickets", Some(ticket), None) => Some(Self::GetTicket(ticket.parse().ok()?)),
            ("POST", "tickets", Some(ticket), Some("claims")) => Some(Self::TakeClaim(ticket.parse().ok()?)),
            ("DELETE", "tickets", Some(ticket), None) => Some(Self::EndTicket(ticket.parse().ok()?)),
            ("POST", "logs", None, None) => Some(Self::CreateLog),
            ("POST", "logs", Some(space), None) => Some(Self::AppendLog(space.parse().ok()?)),
            ("POST", "logs", Some(space), Some("grow")) => Some(Self::GrowLog(space.parse().ok()?)),
            ("GET", "logs", Some(space), Some(from)) => {
                Some(Self::ReadLog(space.parse().ok()?, canonical_number(from)?))
            }
            _ => None,
        }
    }

    /// The path of a request to this endpoint.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::EndSession(session) => format!("/v1/sessions/{session}"),
            Self::PutChunk(blob, n) | Self::GetChunk(blob, n) => format!("/v1/blobs/{blob}/{n}"),
            Self::FinishBlob(blob) => format!("/v1/blobs/{blob}/finish"),
            Self::GrowBlob(blob) => format!("/v1/blobs/{blob}/grow"),
            Self::ExtendLease(blob) => format!("/v1/blobs/{blob}/lease"),
            Self::RefundBlob(blob) => format!("/v1/blobs/{blob}/refund"),
            Self::HeldChunks(blob, from) => format!("/v1/blobs/{blob}/have/{from}"),
            Self::RenewBlob(blob) => format!("/v1/blobs/{blob}/renew"),
            Self::GetHead(blob) => format!("/v1/blobs/{blob}/head"),
            Self::DestroyBlob(blob) => format!("/v1/blobs/{blob}"),
            Self::GetTicket(ticket) | Self::EndTicket(ticket) => format!("/v1/tickets/{ticket}"),
            Self::TakeClaim(ticket) => format!("/v1/tickets/{ticket}/claims"),
            Self::AppendLog(space) => format!("/v1/logs/{space}"),
            Self::GrowLog(space) => format!("/v1/logs/{space}/grow"),
            Self::ReadLog(space, from) => format!("/v1/logs/{space}/{from}"),
            _ => self.row().path.to_owned(),
        }
    }

    /// Its line of the table.
    #[must_use]
    pub const fn row(&self) -> &'static EndpointRow {
        let [
            relay_info,
            earn_invitation,
            register_start,
            register_finish,
            login_start,
            login_finish,
            passwd_start,
            recover_start,
            change_finish,
            remove_account,
            list_sessions,
            end_sessions,
            end_session,
            fetch_credits,
            create_blob,
            put_chunk,
            get_chunk,
            finish_blob,
            grow_blob,
            extend_lease,
            held_chunks,
            get_head,
            renew_blob,
            destroy_blob,
            refund_blob,
            create_ticket,
            get_ticket,
            take_claim,
            end_ticket,
            create_log,
            append_log,
            grow_log,
            read_log,
        ] = &ENDPOINTS;
        match self {
            Self::RelayInfo => relay_info,
            Self::EarnInvitation => earn_invitation,
            Self::RegisterStart => register_start,
            Self::RegisterFinish => register_finish,
            Self::LoginStart => login_start,
            Self::LoginFinish => login_finish,
            Self::PasswdStart => passwd_start,
            Self::RecoverStart => recover_start,
            Self::ChangeFinish => change_finish,
            Self::RemoveAccount => remove_account,
            Self::ListSessions => list_sessions,
            Self::EndSessions => end_sessions,
            Self::EndSession(_) => end_session,
            Self::FetchCredits => fetch_credits,
            Self::CreateBlob => create_blob,
            Self::PutChunk(..) => put_chunk,
            Self::GetChunk(..) => get_chunk,
            Self::FinishBlob(_) => finish_blob,
            Self::GrowBlob(_) => grow_blob,
            Self::ExtendLease(_) => extend_lease,
            Self::HeldChunks(..) => held_chunks,
            Self::GetHead(_) => get_head,
            Self::RenewBlob(_) => renew_blob,
            Self::DestroyBlob(_) => destroy_blob,
            Self::RefundBlob(_) => refund_blob,
            Self::CreateTicket => create_ticket,
            Self::GetTicket(_) => get_ticket,
            Self::TakeClaim(_) => take_claim,
            Self::EndTicket(_) => end_ticket,
            Self::CreateLog => create_log,
            Self::AppendLog(_) => append_log,
            Self::GrowLog(_) => grow_log,
            Self::ReadLog(..) => read_log,
        }
    }
}

/// A chunk's index: canonical, below [`MAX_CHUNKS`].
fn chunk_index(text: &str) -> Option<u32> {
    canonical_number(text)?.try_into().ok().filter(|index| *index < MAX_CHUNKS)
}

/// A number in its only form: decimal, no sign, no leading zero.
fn canonical_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_of_each() -> [Endpoint; 33] {
        let (blob, ticket) = (BlobId::from_bytes([5; 16]), TicketId::from_bytes([6; 16]));
        let space = SpaceId::from_bytes([7; 32]);
        [
            Endpoint::RelayInfo,
            Endpoint::EarnInvitation,
            Endpoint::RegisterStart,
            Endpoint::RegisterFinish,
            Endpoint::LoginStart,
            Endpoint::LoginFinish,
            Endpoint::PasswdStart,
            Endpoint::RecoverStart,
            Endpoint::ChangeFinish,
            Endpoint::RemoveAccount,
            Endpoint::ListSessions,
            Endpoint::EndSessions,
            Endpoint::EndSession(SessionId::from_bytes([8; 16])),
            Endpoint::FetchCredits,
            Endpoint::CreateBlob,
            Endpoint::PutChunk(blob, 0),
            Endpoint::GetChunk(blob, MAX_CHUNKS - 1),
            Endpoint::FinishBlob(blob),
            Endpoint::GrowBlob(blob),
            Endpoint::ExtendLease(blob),
            Endpoint::HeldChunks(blob, MAX_CHUNKS - 1),
            Endpoint::GetHead(blob),
            Endpoint::RenewBlob(blob),
            Endpoint::DestroyBlob(blob),
            Endpoint::RefundBlob(blob),
            Endpoint::CreateTicket,
            Endpoint::GetTicket(ticket),
            Endpoint::TakeClaim(ticket),
            Endpoint::EndTicket(ticket),
            Endpoint::CreateLog,
            Endpoint::AppendLog(space),
            Endpoint::GrowLog(space),
            Endpoint::ReadLog(space, u64::MAX),
        ]
    }

    #[test]
    fn every_endpoint_is_parsed_from_its_own_line() {
        for (endpoint, row) in sample_of_each().into_iter().zip(ENDPOINTS) {
            assert_eq!(*endpoint.row(), row);
            assert_eq!(Endpoint::parse(row.method, &endpoint.path()), Some(endpoint));
        }
    }

    #[test]
    fn near_misses_are_refused() {
        let blob = BlobId::from_bytes([5; 16]).to_string();
        for (method, path) in [
            ("GET", "/v1/register/1".to_owned()),
            ("POST", "/v1/register/1/".to_owned()),
            ("POST", "/v1/blobs?x=1".to_owned()),
            ("POST", "//v1/blobs".to_owned()),
            ("POST", "http://host/v1/blobs".to_owned()),
            ("GET", format!("/v1/blobs/{}/0", blob.to_uppercase())),
            ("GET", format!("/v1/blobs/{blob}/00")),
            ("GET", format!("/v1/blobs/{blob}/+1")),
            ("GET", format!("/v1/blobs/{blob}/-1")),
            ("GET", format!("/v1/blobs/{blob}/{MAX_CHUNKS}")),
            ("GET", format!("/v1/blobs/{blob}/4294967296")),
            ("GET", format!("/v1/blobs/{blob}/0/0")),
            ("GET", format!("/v1/blobs/{blob}/have")),
            ("GET", format!("/v1/blobs/{blob}/have/00")),
            ("GET", format!("/v1/blobs/{blob}/have/{MAX_CHUNKS}")),
            ("GET", format!("/v1/blobs/{blob}/have/0/0")),
            ("GET", format!("/v1/blobs/{blob}/head/0")),
            ("POST", "/admin/v1/invites".to_owned()),
        ] {
            assert_eq!(Endpoint::parse(method, &path), None, "{method} {path}");
        }
    }
}
