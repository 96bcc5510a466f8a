//! What the store's errors are to the network.

use nightdrop_store::StoreError;
use nightdrop_wire::refusal::Refusal;

/// The refusal that an error of the store stands for; logs what the operator should know, which never names anything.
pub(crate) fn refusal_of(error: &StoreError) -> Refusal {
    match error {
        StoreError::Refused => Refusal::Refused,
        // A quota is a conflict, too: whoever is told that the relay is busy tries again, and today to no avail.
        StoreError::Conflict | StoreError::OtherAddress | StoreError::QuotaReached => Refusal::Conflict,
        StoreError::Unpaid => Refusal::Unpaid,
        StoreError::Full => {
            tracing::warn!(
                "there is no room on the store's disk, or below --max-size: writes are refused until there is"
            );
            Refusal::Full
        }
        StoreError::Damaged(table) => {
            tracing::error!(table, "a stored object is damaged: its owner has to upload it again");
            // To the holder of a valid capability, and for good: what is asked for is not what is stored.
            Refusal::Conflict
        }
        StoreError::Database(_) | StoreError::Stopped => {
            tracing::error!(%error, "the store did not do what it was asked");
            Refusal::Busy
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_hears_that_the_disk_is_full_and_no_conflict_or_fault() {
        assert_eq!(refusal_of(&StoreError::Full), Refusal::Full);
        assert_eq!(refusal_of(&StoreError::Conflict), Refusal::Conflict);
        assert_eq!(refusal_of(&StoreError::Unpaid), Refusal::Unpaid);
        assert_eq!(refusal_of(&StoreError::Stopped), Refusal::Busy);
    }
}
