//! Changes lines of JSON so that they stay lines of JSON: an arbitrary change of a byte seldom does, and a
//! line that cannot be read tests nothing behind the reader.

use serde_json::{Value, json};

/// Makes one change to the lines in `data[..size]`, in place, and returns the new size; `None` where another
/// way should be taken: one time in four, and where there is nothing that could be changed.
pub fn lines(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> Option<usize> {
    let mut draw = Draw(u64::from(seed) | 1 << 40);
    if draw.below(4) == 0 {
        return None;
    }
    let text = std::str::from_utf8(&data[..size]).ok()?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return None;
    }
    let at = draw.below(lines.len());
    let other = draw.below(lines.len());
    match draw.below(8) {
        0 => {
            lines.remove(at);
        }
        1 => lines.insert(other, lines[at].clone()),
        2 => lines.swap(at, other),
        _ => {
            let mut value: Value = serde_json::from_str(&lines[at]).ok()?;
            let places = count(&value);
            let mut left = draw.below(places);
            change(&mut value, &mut left, &mut draw);
            lines[at] = value.to_string();
        }
    }
    let mut made = lines.join("\n");
    if draw.below(16) != 0 {
        made.push('\n');
    }
    let made = made.as_bytes();
    if made.len() > max_size || made.len() > data.len() {
        return None;
    }
    data[..made.len()].copy_from_slice(made);
    Some(made.len())
}

/// Values within a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the value that lies `left` values ahead.
fn change(value: &mut Value, left: &mut usize, draw: &mut Draw) -> bool {
    if *left == 0 {
        *value = changed(value, draw);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left, draw)),
        Value::Object(map) => map.values_mut().any(|item| change(item, left, draw)),
        _ => false,
    }
}

fn changed(value: &Value, draw: &mut Draw) -> Value {
    match value {
        Value::Bool(word) => json!(!word),
        Value::Number(number) => {
            let whole = number.as_u64().unwrap_or(0);
            match draw.below(9) {
                0 => json!(0),
                1 => json!(whole.wrapping_add(1)),
                2 => json!(whole.wrapping_sub(1)),
                3 => json!(whole.wrapping_mul(2)),
                4 => json!(whole / 2),
                5 => json!(u64::MAX),
                6 => json!(u32::MAX),
                7 => json!(whole.wrapping_add(draw.next() % 1_000_000)),
                _ => json!(draw.next() >> draw.below(64)),
            }
        }
        Value::String(text) => match draw.below(3) {
            0 => json!(""),
            // Slots are base64, whose length matters.
            1 => json!(text.chars().skip(draw.below(4)).collect::<String>()),
            _ => {
                let mut letters: Vec<char> = text.chars().collect();
                if !letters.is_empty() {
                    let at = draw.below(letters.len());
                    letters[at] = char::from(b"AZaz09+/ -_\"\\\n"[draw.below(14)]);
                }
                json!(letters.into_iter().collect::<String>())
            }
        },
        Value::Array(items) if !items.is_empty() => {
            let mut items = items.clone();
            let at = draw.below(items.len());
            if draw.below(2) == 0 {
                items.remove(at);
            } else {
                items.push(items[at].clone());
            }
            Value::Array(items)
        }
        Value::Object(map) if draw.below(2) == 0 => {
            let mut map = map.clone();
            let key = map.keys().nth(draw.below(map.len().max(1))).cloned();
            if let Some(key) = key {
                map.remove(&key);
            }
            Value::Object(map)
        }
        _ => Value::Null,
    }
}

/// Numbers that follow from a seed (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
