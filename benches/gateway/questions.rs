//! What the load generator asks: requests rendered once, with blanks that differ each time. Leaves out when, and of whom.

/// A request rendered once. A run of `#` in it is a blank that is filled in with a number each time it is asked.
pub struct Form {
    text: Vec<u8>,
    blanks: Vec<(usize, usize)>,
}

impl Form {
    pub fn get(target: &str, headers: &str) -> Self {
        Self::new(format!("GET {target} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n"))
    }

    pub fn post(target: &str, body: &str) -> Self {
        Self::send("POST", target, "", body)
    }

    /// `headers`: whole lines.
    pub fn send(method: &str, target: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("{method} {target} HTTP/1.1\r\nhost: bench\r\n{headers}content-type: application/json\r\n");
        Self::new(format!("{head}content-length: {length}\r\n\r\n{body}"))
    }

    fn new(text: String) -> Self {
        let text = text.into_bytes();
        let mut blanks: Vec<(usize, usize)> = Vec::new();
        for (place, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'#') {
            match blanks.last_mut() {
                Some((_, end)) if *end == place => *end += 1,
                _ => blanks.push((place, place + 1)),
            }
        }
        Self { text, blanks }
    }

    pub fn fill(&self, numbers: [u64; 2], request: &mut Vec<u8>) {
        request.clear();
        request.extend_from_slice(&self.text);
        for ((begin, end), mut number) in self.blanks.iter().zip(numbers) {
            for byte in request[*begin..*end].iter_mut().rev() {
                *byte = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
    }
}

/// What is asked, again and again: one of the forms, drawn at random, its first blank filled in with one of `contacts`
/// numbers, also at random, and its second with a number that no other request has.
pub struct Questions {
    pub forms: Vec<Form>,
    pub contacts: u64,
}

/// Xorshift: good enough to pick contacts, and nothing beside a request.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides.max(1)
    }
}
