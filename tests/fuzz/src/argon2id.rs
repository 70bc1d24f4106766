use std::cell::RefCell;
use std::hash::Hasher;

use keyturn::auth::argon2id::{Argon2id, Inputs, Kernel};
use keyturn::model::Argon2idCost;

thread_local! {
    /// One of every kernel of this processor, the crate last; their memory is reused, as it is in
    /// the server, so that a hash may also go wrong by what the one before it left there.
    static KERNELS: RefCell<Vec<Argon2id>> = RefCell::new(
        Kernel::ALL.into_iter().filter_map(|kernel| Argon2id::with_kernel(kernel, cost(0, 0, 0))).collect(),
    );
}

/// Every kernel makes the hash that the `argon2` crate makes.
///
/// Seven bytes choose the cost and the lengths; what follows them is the password.
pub fn argon2id(input: &[u8]) {
    let Some((&[m_low, m_high, t, tag, salt, secret, data], password)) = input.split_first_chunk() else {
        return;
    };
    let cost = cost(u16::from_le_bytes([m_low, m_high]), draw(input), t);
    let bytes: [u8; 64] = std::array::from_fn(|i| input[i % input.len()].wrapping_add(i as u8));
    let inputs = Inputs {
        password: &password[..password.len().min(1024)],
        salt: &bytes[..8 + usize::from(salt % 33)],
        secret: &bytes[..usize::from(secret % 65)],
        associated_data: &bytes[..usize::from(data % 33)],
    };
    let tags = KERNELS.with_borrow_mut(|kernels| {
        let hash = |argon2id: &mut Argon2id| {
            let mut hashed = vec![0; 4 + usize::from(tag % 94)];
            argon2id.hash(cost, &inputs, &mut hashed).expect("the cost is accepted");
            hashed
        };
        kernels.iter_mut().map(hash).collect::<Vec<_>>()
    });
    assert!(tags.iter().all(|tag| Some(tag) == tags.last()), "{cost:?}");
}

/// A number that an input always has and a fuzzer cannot aim at, so that dear costs stay rare.
fn draw(input: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(input);
    hasher.finish()
}

/// One to four passes over 8 to 31 KiB; of 16 inputs one has up to 63 KiB, of 256 one up to 519, of
/// 8192 one up to 4099, and of 524,288 one the usual 19,456.
fn cost(m: u16, drawn: u64, t: u8) -> Argon2idCost {
    let m = u32::from(m);
    let m_kib = match drawn {
        _ if drawn.is_multiple_of(1 << 19) => 19_456,
        _ if drawn.is_multiple_of(1 << 13) => 8 + m % 4092,
        _ if drawn.is_multiple_of(1 << 8) => 8 + m % 512,
        _ if drawn.is_multiple_of(1 << 4) => 8 + m % 56,
        _ => 8 + m % 24,
    };
    Argon2idCost { m_kib, t: 1 + u32::from(t % 4), p: 1 }
}
