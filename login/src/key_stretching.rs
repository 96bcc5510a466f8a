//! Argon2id (RFC 9106), its second recommended parameters: 64 MiB, three passes, four lanes.

use argon2::{Algorithm, Argon2, Params, Version};
use nightdrop_wire::labels;
use opaque_ke::{
    errors::InternalError,
    generic_array::{ArrayLength, GenericArray},
    ksf::Ksf,
};

/// Memory in KiB.
pub(crate) const MEMORY_KIB: u32 = 64 * 1024;
/// Passes over the memory.
pub(crate) const PASSES: u32 = 3;
/// Lanes, computed in parallel.
pub(crate) const LANES: u32 = 4;

/// The key stretching function of the suite. There is no other set of parameters.
#[derive(Default)]
pub(crate) struct Argon2id;

impl Ksf for Argon2id {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let mut output = GenericArray::default();
        stretch(&input, labels::ARGON2_SALT, &mut output).map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}

/// Argon2id with the parameters of the suite. Its memory is given back when this returns.
pub(crate) fn stretch(input: &[u8], salt: &[u8], output: &mut [u8]) -> Result<(), argon2::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(output.len()))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(input, salt, output)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9106, section 4: 2^16 KiB, t = 3, p = 4.
    #[test]
    fn parameters_are_the_second_recommendation() {
        assert_eq!((MEMORY_KIB, PASSES, LANES), (1 << 16, 3, 4));
    }

    #[test]
    fn output_is_not_the_input_and_repeats() {
        let input = GenericArray::<u8, opaque_ke::generic_array::typenum::U64>::default();
        let first = Argon2id.hash(input).unwrap();
        assert_ne!(first, input);
        assert_eq!(first, Argon2id.hash(input).unwrap());
    }
}
