//! Every label of a key derivation in Nightdrop, in one place, so that one glance shows that no two are equal.
//!
//! HKDF-SHA-256 (RFC 5869) everywhere; the label opens the `info` input and is followed by what is said beside it.

/// Key and nonce of an envelope; followed by suite, kind and context hash.
pub const SEAL: &[u8] = b"nightdrop/v1 seal";
/// Commitment of an envelope to its key; followed by suite, kind and context hash.
pub const COMMIT: &[u8] = b"nightdrop/v1 commit";
/// Password as OPAQUE gets it: HMAC-SHA-256 under the account key; followed by the password.
pub const OPAQUE_PASSWORD: &[u8] = b"nightdrop/v1 opaque password";
/// Salt of Argon2id. A constant, because its input is the output of the OPRF, which no two accounts share.
pub const ARGON2_SALT: &[u8] = b"nightdrop/v1 argon2id";
/// Encryption key, from the OPAQUE export key.
pub const ENCRYPTION_KEY: &[u8] = b"nightdrop/v1 encryption key";
/// Recovery id, from the phrase; followed by the relay's address.
pub const RECOVERY_ID: &[u8] = b"nightdrop/v1 recovery id";
/// Recovery token, from the phrase; followed by the relay's address.
pub const RECOVERY_TOKEN: &[u8] = b"nightdrop/v1 recovery token";
/// Recovery key, from the phrase; followed by the relay's address.
pub const RECOVERY_KEY: &[u8] = b"nightdrop/v1 recovery key";
/// Manifest key, from the file key.
pub const MANIFEST_KEY: &[u8] = b"nightdrop/v1 manifest key";
/// Key of one chunk, from the file key; followed by the index (u32, big-endian).
pub const CHUNK_KEY: &[u8] = b"nightdrop/v1 chunk key";
/// What a link's password is stretched with, from the ticket secret.
pub const TICKET_PASSWORD_SALT: &[u8] = b"nightdrop/v1 ticket password salt";
/// Ticket root, where there is a password: from the ticket secret as salt and the stretched password.
pub const TICKET_ROOT: &[u8] = b"nightdrop/v1 ticket root";
/// Ticket id, from the ticket root.
pub const TICKET_ID: &[u8] = b"nightdrop/v1 ticket id";
/// Ticket token, from the ticket root.
pub const TICKET_TOKEN: &[u8] = b"nightdrop/v1 ticket token";
/// Ticket key, from the ticket root.
pub const TICKET_KEY: &[u8] = b"nightdrop/v1 ticket key";
/// Claim, from the ticket root; followed by the random bytes that the reader keeps.
pub const CLAIM_TOKEN: &[u8] = b"nightdrop/v1 claim token";
/// Name under which a reader keeps them, from the ticket secret: where there is a password it cannot be tried on the name.
pub const CLAIM_NAME: &[u8] = b"nightdrop/v1 claim name";
/// Random value of a home space's first entry, from the home secret.
pub const HOME_RANDOM: &[u8] = b"nightdrop/v1 home random";
/// Epoch key of the home space, from the home secret; followed by the epoch (u32, big-endian).
pub const HOME_EPOCH_KEY: &[u8] = b"nightdrop/v1 home epoch key";
/// Append token of the home space, from the home secret; followed by the epoch (u32, big-endian).
pub const HOME_APPEND_TOKEN: &[u8] = b"nightdrop/v1 home append token";
/// Key of the copy of the home space that a device keeps, from the home secret: it ends with a rekey.
pub const HOME_COPY_KEY: &[u8] = b"nightdrop/v1 home copy key";
/// Key of a space's entries, from the epoch key.
pub const ENTRY_KEY: &[u8] = b"nightdrop/v1 entry key";
/// Read token of a space, from the epoch key.
pub const SPACE_READ_TOKEN: &[u8] = b"nightdrop/v1 space read token";

/// What seals a device's memory, from the seed of the identity key: it outlives a rekey.
pub const DEVICE_MEMORY_KEY: &[u8] = b"nightdrop/v1 device memory key";

/// Name of a file that is not whole yet, from the file key; followed by the manifest's hash and its final name.
pub const RESUME_NAME: &[u8] = b"nightdrop/v1 resume name";

/// Seed of the relay's issuing key, from its login secrets.
pub const ISSUING_SEED: &[u8] = b"nightdrop/v1 issuing seed";
/// The issuing key, from its seed (`DeriveKeyPair` of RFC 9497).
pub const ISSUING_KEY: &[u8] = b"nightdrop/v1 issuing key";
/// What a credit is bound to, before its denomination and its last day.
pub const CREDIT: &[u8] = b"nightdrop/v1 credit";
/// Name of the journal of an unfinished upload, from the memory key; followed by the length of its path (u64, big-endian), the path, and the name
/// that the file is to get.
pub const JOURNAL_NAME: &[u8] = b"nightdrop/v1 journal name";

/// All of the above.
pub const ALL: &[&[u8]] = &[
    SEAL,
    COMMIT,
    OPAQUE_PASSWORD,
    ARGON2_SALT,
    ENCRYPTION_KEY,
    RECOVERY_ID,
    RECOVERY_TOKEN,
    RECOVERY_KEY,
    MANIFEST_KEY,
    CHUNK_KEY,
    TICKET_PASSWORD_SALT,
    TICKET_ROOT,
    TICKET_ID,
    TICKET_TOKEN,
    TICKET_KEY,
    CLAIM_TOKEN,
    CLAIM_NAME,
    HOME_RANDOM,
    HOME_EPOCH_KEY,
    HOME_APPEND_TOKEN,
    HOME_COPY_KEY,
    ENTRY_KEY,
    SPACE_READ_TOKEN,
    DEVICE_MEMORY_KEY,
    RESUME_NAME,
    ISSUING_SEED,
    ISSUING_KEY,
    CREDIT,
    JOURNAL_NAME,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    /// A label that is the start of another would let one derivation stand for the other.
    #[test]
    fn no_label_is_the_start_of_another() {
        for (i, a) in ALL.iter().enumerate() {
            for (j, b) in ALL.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{} / {}", a.escape_ascii(), b.escape_ascii());
            }
        }
    }
}
