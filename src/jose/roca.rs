//! Detects RSA keys of a faulty generator in smart cards (ROCA, CVE-2017-15361). The generator's primes are `k·M +
//! 65537^a mod M`, so that the modulus is a power of 65537 modulo each small prime. Never reads a private key.

/// Small primes by which the test for ROCA divides a modulus (Nemec and others, "The Return of Coppersmith's Attack",
/// 2017).
const PRIMES: [u64; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the big-endian `modulus` comes from the faulty generator of CVE-2017-15361. By chance also true for one in
/// 2^27 moduli of other generators.
pub(super) fn is_vulnerable(modulus: &[u8]) -> bool {
    PRIMES.into_iter().all(|prime| is_power(remainder(modulus, prime), 65_537 % prime, prime))
}

fn remainder(number: &[u8], divisor: u64) -> u64 {
    number.iter().fold(0, |rest, byte| (rest * 256 + u64::from(*byte)) % divisor)
}

/// Whether `value` is a power of `base` modulo `prime`.
fn is_power(value: u64, base: u64, prime: u64) -> bool {
    let mut power = 1;
    for _ in 1..prime {
        if power == value {
            return true;
        }
        power = power * base % prime;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_65537_are_vulnerable_and_other_numbers_are_not() {
        let power = 65_537_u128.pow(7).to_be_bytes();
        assert!(is_vulnerable(&power));
        let other = (65_537_u128.pow(7) + 2).to_be_bytes();
        assert!(!is_vulnerable(&other));
    }
}
