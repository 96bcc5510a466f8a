//! Passwords of random words, in the manner of diceware: seven words of the 2,048 of BIP-39 (English), 77 bits.

use bip39::Language;
use rand::{CryptoRng, RngExt};
use zeroize::Zeroizing;

/// Words of a passphrase: 11 bits each.
pub const WORDS: usize = 7;

/// A new passphrase: words with a space between.
pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Zeroizing<String> {
    let list = Language::English.word_list();
    // All the room at once: a growing string would leave copies behind.
    let mut words = Zeroizing::new(String::with_capacity(WORDS * 9));
    for _ in 0..WORDS {
        if !words.is_empty() {
            words.push(' ');
        }
        // An index of 11 bits is always on the list.
        words.push_str(list.get(usize::from(rng.random::<u16>() & 0x7ff)).copied().unwrap_or_default());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn seven_words_of_the_list_and_never_the_same() {
        let list = Language::English.word_list();
        assert_eq!(list.len(), 1 << 11);
        let mut seen = BTreeSet::new();
        for _ in 0..2_000 {
            let phrase = generate(&mut rand::rng());
            let words: Vec<String> = phrase.split(' ').map(str::to_owned).collect();
            assert_eq!(words.len(), WORDS);
            assert!(words.iter().all(|word| list.contains(&word.as_str())));
            seen.insert(words);
        }
        assert_eq!(seen.len(), 2_000);
        let used: BTreeSet<&String> = seen.iter().flatten().collect();
        assert!(used.len() > 2_000, "14,000 draws leave out 1 in 900 of the words");
    }
}
