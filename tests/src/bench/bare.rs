//! The bare signature or password hash that a path cannot do without: nothing but the library's call, with a key that was
//! parsed and memory that was taken before.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use odcm::config::SignInSettings;
use std::sync::{Mutex, PoisonError};

/// As long as the part of a token that is signed.
const MESSAGE: [u8; 420] = [0x41; 420];

/// One of them.
pub enum Bare {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<RsaKeyPair>),
    Argon2 { params: Params, memory: Mutex<Vec<Block>> },
}

impl Bare {
    /// Makes it ready.
    pub fn new(name: &str, costs: &SignInSettings) -> Result<Self, String> {
        match name {
            "es256" => {
                Ok(Self::Es256(Box::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|e| e.to_string())?)))
            }
            "rs256" => Ok(Self::Rs256(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|e| e.to_string())?))),
            "argon2" => {
                let params = Params::new(costs.argon2_memory, costs.argon2_passes, 1, Some(32)).map_err(|e| e.to_string())?;
                let memory = Mutex::new(vec![Block::default(); params.block_count()]);
                Ok(Self::Argon2 { params, memory })
            }
            other => Err(format!("{other}: es256, rs256 or argon2")),
        }
    }

    /// Does it once.
    pub fn once(&self) -> Result<(), String> {
        match self {
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), &MESSAGE).map(drop).map_err(|e| e.to_string()),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &MESSAGE, &mut signature).map_err(|e| e.to_string())
            }
            Self::Argon2 { params, memory } => {
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                let memory = &mut *memory.lock().unwrap_or_else(PoisonError::into_inner);
                let done = argon2.hash_password_into_with_memory(b"correct horse battery", &[7; 16], &mut [0; 32], memory);
                done.map_err(|e| e.to_string())
            }
        }
    }
}
