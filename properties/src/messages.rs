//! Control bodies: a decoder accepts one form of a value, and no other.

use nightdrop_wire::{
    codec,
    messages::{
        account::{
            ChangeFinish, LoggedIn, LoginFinish, LoginStart, LoginStarted, PasswdStart, PasswdStarted,
            RecoverStart, RecoverStarted, RegisterFinish, RegisterStart, RegisterStarted, Sessions,
        },
        admin::{AccountPage, InvitationPage, Invitations, NewInvitations, RevokeInvitation, SetQuota},
        blob::{CreateBlob, Destroyed, ExtendLease, FinishBlob, GrowBlob, HeldChunks, Leased, RenewBlob},
        credit::{CreditOrder, Credits},
        log::{Append, CreateLog, GrowLog, LogPage},
        relay::{EarnInvitation, EarnedInvitation, RelayInfo},
        ticket::{CreateTicket, TakeClaim},
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// The first byte says which message the rest is to be.
pub(crate) fn message(input: &[u8]) -> bool {
    let Some((which, body)) = input.split_first() else { return false };
    match which % 22 {
        0 => canonical::<RegisterStart>(body),
        1 => canonical::<RegisterStarted>(body),
        2 => canonical::<RegisterFinish>(body),
        3 => canonical::<LoginStart>(body),
        4 => canonical::<LoginStarted>(body),
        5 => canonical::<LoginFinish>(body),
        6 => canonical::<LoggedIn>(body),
        7 => canonical::<CreditOrder>(body),
        8 => canonical::<Credits>(body),
        9 => canonical::<CreateBlob>(body),
        10 => {
            canonical::<FinishBlob>(body)
                | canonical::<GrowBlob>(body)
                | canonical::<ExtendLease>(body)
                | canonical::<Leased>(body)
                | canonical::<Destroyed>(body)
                | canonical::<HeldChunks>(body)
        }
        11 => canonical::<CreateTicket>(body) | canonical::<RenewBlob>(body) | canonical::<TakeClaim>(body),
        12 => canonical::<CreateLog>(body) | canonical::<GrowLog>(body),
        13 => canonical::<Append>(body),
        14 => canonical::<LogPage>(body),
        15 => {
            canonical::<Invitations>(body)
                | canonical::<NewInvitations>(body)
                | canonical::<InvitationPage>(body)
                | canonical::<RevokeInvitation>(body)
                | canonical::<AccountPage>(body)
                | canonical::<SetQuota>(body)
                | canonical::<RelayInfo>(body)
                | canonical::<EarnInvitation>(body)
                | canonical::<EarnedInvitation>(body)
        }
        16 => canonical::<PasswdStart>(body),
        17 => canonical::<PasswdStarted>(body),
        18 => canonical::<RecoverStart>(body),
        19 => canonical::<RecoverStarted>(body),
        20 => canonical::<ChangeFinish>(body),
        _ => canonical::<Sessions>(body),
    }
}

/// What is accepted encodes to the same bytes; nothing longer or shorter is accepted in its place.
pub(crate) fn canonical<T: Serialize + DeserializeOwned>(body: &[u8]) -> bool {
    let Ok(value) = codec::decode::<T>(body) else { return false };
    let encoded = codec::encode(&value).unwrap();
    assert_eq!(encoded, body, "two forms of one value");
    assert_eq!(encoded.capacity(), encoded.len(), "the buffer grew, and left a copy behind");
    let longer = [body, &[0]].concat();
    assert!(codec::decode::<T>(&longer).is_err(), "a byte too many");
    let shorter = &body[..body.len().saturating_sub(1)];
    assert!(body.is_empty() || codec::decode::<T>(shorter).is_err(), "a byte too few");
    true
}
