//! The relay's side. It never sees a password, nor anything that a password could be tried against without the
//! account key.

use crate::{LoginContext, LoginError, Suite, client::fixed};
use hmac::{Hmac, Mac};
use nightdrop_wire::{
    ids::AccountId,
    labels,
    messages::account::{
        CREDENTIAL_FINALIZATION, CREDENTIAL_REQUEST, CREDENTIAL_RESPONSE, REGISTRATION_REQUEST,
        REGISTRATION_RESPONSE, REGISTRATION_UPLOAD,
    },
};
use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload,
    ServerLoginParameters, ServerRegistration,
    rand::{CryptoRng, RngCore},
};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The relay's long-term login secrets: OPRF seed and key pair. Made once per relay.
pub struct ServerSetup(opaque_ke::ServerSetup<Suite>);

impl ServerSetup {
    /// Makes new ones.
    pub fn generate<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        Self(opaque_ke::ServerSetup::new(rng))
    }

    /// Their bytes, to keep.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.serialize().to_vec())
    }

    /// Those that were kept.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if the bytes are not what [`Self::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoginError> {
        let setup = Self(opaque_ke::ServerSetup::deserialize(bytes)?);
        // What follows the last field would go unread.
        if *setup.to_bytes() == bytes { Ok(setup) } else { Err(LoginError::Malformed) }
    }

    /// The seed of the key that the relay issues credits with: HMAC-SHA-256 of a label under these secrets. So a relay has one such key for as
    /// long as it has its accounts.
    ///
    /// # Errors
    /// None that can happen: HMAC takes keys of any length.
    pub fn issuing_seed(&self) -> Result<Zeroizing<[u8; 32]>, LoginError> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.to_bytes()).map_err(|_| LoginError::Malformed)?;
        Ok(Zeroizing::new(mac.chain_update(labels::ISSUING_SEED).finalize().into_bytes().into()))
    }

    /// Answers a registration request. Stateless: nothing is remembered or spent.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if the request is not a group element.
    pub fn start_registration(
        &self,
        account: AccountId,
        request: &[u8; REGISTRATION_REQUEST],
    ) -> Result<[u8; REGISTRATION_RESPONSE], LoginError> {
        let request = RegistrationRequest::deserialize(request)?;
        let started = ServerRegistration::<Suite>::start(&self.0, request, account.as_bytes())?;
        fixed(&started.message.serialize())
    }
}

impl std::fmt::Debug for ServerSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("ServerSetup")
    }
}

/// What the relay keeps of a password: nothing that logs in.
#[derive(Clone)]
pub struct Record([u8; REGISTRATION_UPLOAD]);

impl Record {
    /// The record of a registration upload.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if the upload holds no valid public key.
    pub fn from_upload(upload: &[u8; REGISTRATION_UPLOAD]) -> Result<Self, LoginError> {
        let upload = RegistrationUpload::<Suite>::deserialize(upload)?;
        Ok(Self(fixed(&ServerRegistration::finish(upload).serialize())?))
    }

    /// A record that was kept.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if the bytes are no record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoginError> {
        Self::from_upload(&fixed(bytes)?)
    }

    /// Its bytes, to keep.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; REGISTRATION_UPLOAD] {
        &self.0
    }

    /// The decoy: a well-formed record that belongs to no account and that no password opens. It is made once, kept
    /// beside the real ones, and answers for every account that does not exist, so that those take the same steps.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] never happens with a sound generator.
    pub fn decoy<R: RngCore + CryptoRng>(rng: &mut R) -> Result<Self, LoginError> {
        // Public key ‖ masking key ‖ envelope: the key must be a real one, the rest of a real record cannot be told
        // from random bytes.
        let mut bytes = [0; REGISTRATION_UPLOAD];
        rng.fill_bytes(&mut bytes);
        let key = opaque_ke::ServerSetup::<Suite>::new(rng);
        let public = key.keypair().public().serialize();
        for (slot, byte) in bytes.iter_mut().zip(public.iter()) {
            *slot = *byte;
        }
        Self::from_upload(&bytes)
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Record")
    }
}

/// Shows that a client proved to know the password of an account. Only [`PendingLogin::finish`] makes one.
#[derive(Debug)]
pub struct Authenticated {
    account: AccountId,
}

impl Authenticated {
    /// The account that was proven.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }
}

/// A login between its second and its third message.
pub struct PendingLogin {
    state: opaque_ke::ServerLogin<Suite>,
    account: AccountId,
    context: LoginContext,
}

impl PendingLogin {
    /// Answers KE1 with KE2, from the account's record or from the decoy.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if KE1 holds no valid group elements.
    pub fn start<R: RngCore + CryptoRng>(
        setup: &ServerSetup,
        record: &Record,
        account: AccountId,
        context: &LoginContext,
        request: &[u8; CREDENTIAL_REQUEST],
        rng: &mut R,
    ) -> Result<(Self, [u8; CREDENTIAL_RESPONSE]), LoginError> {
        let record = ServerRegistration::deserialize(record.as_bytes())?;
        let request = CredentialRequest::deserialize(request)?;
        let started = opaque_ke::ServerLogin::start(
            rng,
            &setup.0,
            Some(record),
            request,
            account.as_bytes(),
            parameters(&account, context),
        )?;
        let response = fixed(&started.message.serialize())?;
        Ok((Self { state: started.state, account, context: context.clone() }, response))
    }

    /// Checks KE3.
    ///
    /// # Errors
    /// [`LoginError::Refused`] if the client did not know the password.
    pub fn finish(self, finalization: &[u8; CREDENTIAL_FINALIZATION]) -> Result<Authenticated, LoginError> {
        let message = CredentialFinalization::deserialize(finalization)?;
        self.state.finish(message, parameters(&self.account, &self.context))?;
        Ok(Authenticated { account: self.account })
    }
}

impl std::fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingLogin")
    }
}

fn parameters<'a>(account: &'a AccountId, context: &'a LoginContext) -> ServerLoginParameters<'a, 'a> {
    ServerLoginParameters { context: Some(context.bytes()), identifiers: context.identifiers(account) }
}
