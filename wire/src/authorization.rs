//! The `Authorization` header: what a request shows to be let in.
//!
//! ```text
//! Bearer <token: 52 symbols>
//! Ticket <ticket id: 26 symbols>.<ticket token: 52 symbols>
//! Claim <ticket id: 26 symbols>.<ticket token: 52 symbols>.<claim: 52 symbols>
//! ```

use crate::{ids::TicketId, token::Token};
use zeroize::Zeroizing;

/// What a request shows.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// A session token on the account plane; a blob's read token or write key on the data plane.
    Bearer(Token),
    /// A ticket and its token: reads the blob that the ticket names, or takes a claim.
    Ticket(TicketId, Token),
    /// A ticket that gives a limited number of downloads, its token, and the claim on one of them: reads the blob.
    Claim(TicketId, Token, Token),
}

impl Authorization {
    /// The value of the header.
    #[must_use]
    pub fn to_header(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Bearer(token) => format!("Bearer {}", *token.secret_text()),
            Self::Ticket(id, token) => format!("Ticket {id}.{}", *token.secret_text()),
            Self::Claim(id, token, claim) => {
                format!("Claim {id}.{}.{}", *token.secret_text(), *claim.secret_text())
            }
        })
    }

    /// Parses the value of the header; `None` unless it is exactly what [`Self::to_header`] writes.
    #[must_use]
    pub fn from_header(value: &str) -> Option<Self> {
        if let Some(token) = value.strip_prefix("Bearer ") {
            return Token::from_text(token).ok().map(Self::Bearer);
        }
        if let Some(ticket) = value.strip_prefix("Ticket ") {
            let (id, token) = ticket.split_once('.')?;
            return Some(Self::Ticket(id.parse().ok()?, Token::from_text(token).ok()?));
        }
        let (id, tokens) = value.strip_prefix("Claim ")?.split_once('.')?;
        let (token, claim) = tokens.split_once('.')?;
        Some(Self::Claim(id.parse().ok()?, Token::from_text(token).ok()?, Token::from_text(claim).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        let ticket = Authorization::Ticket(TicketId::from_bytes([3; 16]), Token::from_bytes([9; 32]));
        let claim = Authorization::Claim(
            TicketId::from_bytes([3; 16]),
            Token::from_bytes([9; 32]),
            Token::from_bytes([10; 32]),
        );
        for authorization in [Authorization::Bearer(Token::from_bytes([8; 32])), ticket, claim] {
            let header = authorization.to_header();
            let parsed = Authorization::from_header(&header).map(|parsed| parsed.to_header());
            assert_eq!(parsed, Some(header));
        }
    }

    #[test]
    fn other_headers_are_refused() {
        let good = Authorization::Bearer(Token::from_bytes([8; 32])).to_header();
        let (ticket, token) = (TicketId::from_bytes([3; 16]), Token::from_bytes([9; 32]));
        let claim = Authorization::Claim(ticket, token.clone(), token).to_header();
        for bad in [
            String::new(),
            good.to_lowercase(),
            good.to_uppercase(),
            format!("{} ", *good),
            good.replace(' ', "  "),
            claim.replace("Claim", "Ticket"),
            format!("{}.", *claim),
            claim.rsplit_once('.').map(|(start, _)| start.to_owned()).unwrap_or_default(),
        ] {
            assert!(Authorization::from_header(&bad).is_none(), "{bad}");
        }
    }
}
