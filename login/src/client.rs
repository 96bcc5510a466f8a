//! The client's side: one type per state, consumed to advance.

use crate::{
    LoginContext, LoginError, Suite,
    password::{AccountKey, Password},
};
use nightdrop_wire::{
    ids::AccountId,
    messages::account::{
        CREDENTIAL_FINALIZATION, CREDENTIAL_REQUEST, CREDENTIAL_RESPONSE, REGISTRATION_REQUEST,
        REGISTRATION_RESPONSE, REGISTRATION_UPLOAD,
    },
};
use opaque_ke::{
    ClientLoginFinishParameters, ClientRegistrationFinishParameters, CredentialResponse,
    RegistrationResponse,
    rand::{CryptoRng, RngCore},
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What only the right password gives: 64 bytes that the relay never learns, from which the encryption key is derived.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ExportKey([u8; ExportKey::LENGTH]);

impl ExportKey {
    /// Length in bytes.
    pub const LENGTH: usize = 64;

    /// Its bytes, to derive from.
    #[must_use]
    pub const fn secret_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl std::fmt::Debug for ExportKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("ExportKey")
    }
}

/// A registration whose request was sent.
pub struct ClientRegistration {
    state: opaque_ke::ClientRegistration<Suite>,
    password: Zeroizing<[u8; 32]>,
}

impl ClientRegistration {
    /// Starts a registration; the bytes are the registration request.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if the OPRF refuses the input, which no password of a user causes.
    pub fn start<R: RngCore + CryptoRng>(
        password: &Password,
        account_key: &AccountKey,
        rng: &mut R,
    ) -> Result<(Self, [u8; REGISTRATION_REQUEST]), LoginError> {
        let password = password.mixed_with(account_key)?;
        let started = opaque_ke::ClientRegistration::<Suite>::start(rng, password.as_slice())?;
        let request = fixed(&started.message.serialize())?;
        Ok((Self { state: started.state, password }, request))
    }

    /// Finishes it with the relay's response; the bytes are the registration upload. Runs Argon2id.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] or [`LoginError::Reflected`] on a response that no honest relay sends.
    pub fn finish<R: RngCore + CryptoRng>(
        self,
        response: &[u8; REGISTRATION_RESPONSE],
        account: &AccountId,
        context: &LoginContext,
        rng: &mut R,
    ) -> Result<([u8; REGISTRATION_UPLOAD], ExportKey), LoginError> {
        let response = RegistrationResponse::deserialize(response)?;
        let parameters = ClientRegistrationFinishParameters::new(context.identifiers(account), None);
        let finished = self.state.finish(rng, self.password.as_slice(), response, parameters)?;
        Ok((fixed(&finished.message.serialize())?, ExportKey(finished.export_key.into())))
    }
}

/// A login whose first message was sent.
pub struct ClientLogin {
    state: opaque_ke::ClientLogin<Suite>,
    password: Zeroizing<[u8; 32]>,
}

impl ClientLogin {
    /// Starts a login; the bytes are KE1.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if the OPRF refuses the input, which no password of a user causes.
    pub fn start<R: RngCore + CryptoRng>(
        password: &Password,
        account_key: &AccountKey,
        rng: &mut R,
    ) -> Result<(Self, [u8; CREDENTIAL_REQUEST]), LoginError> {
        let password = password.mixed_with(account_key)?;
        let started = opaque_ke::ClientLogin::<Suite>::start(rng, password.as_slice())?;
        let request = fixed(&started.message.serialize())?;
        Ok((Self { state: started.state, password }, request))
    }

    /// Checks the relay's answer (KE2); the bytes are KE3, which may be sent only because the check passed. Runs
    /// Argon2id.
    ///
    /// # Errors
    /// [`LoginError::Refused`] if the password is wrong or the relay is not the one of the registration;
    /// [`LoginError::Malformed`] or [`LoginError::Reflected`] on an answer that no honest relay sends.
    pub fn finish<R: RngCore + CryptoRng>(
        self,
        response: &[u8; CREDENTIAL_RESPONSE],
        account: &AccountId,
        context: &LoginContext,
        rng: &mut R,
    ) -> Result<([u8; CREDENTIAL_FINALIZATION], ExportKey), LoginError> {
        let response = CredentialResponse::deserialize(response)?;
        let parameters =
            ClientLoginFinishParameters::new(Some(context.bytes()), context.identifiers(account), None);
        let finished = self.state.finish(rng, self.password.as_slice(), response, parameters)?;
        Ok((fixed(&finished.message.serialize())?, ExportKey(finished.export_key.into())))
    }
}

/// A message as an array. The suite fixes every length, so another one is a malformed message.
pub(crate) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], LoginError> {
    bytes.try_into().map_err(|_| LoginError::Malformed)
}
