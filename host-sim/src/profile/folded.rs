//! Stacks with their cycles, one a line, and the flame graph drawn from them.

use super::summary::Summary;
use inferno::flamegraph::{self, Options, Palette, TextTruncateDirection};

/// `outer;inner;innermost 123`, sorted: what flame graph tools read.
pub fn lines(summary: &Summary) -> Vec<String> {
    folded(summary, str::to_owned)
}

fn folded(summary: &Summary, named: impl Fn(&str) -> String) -> Vec<String> {
    // A name with a semicolon would be taken for two.
    let joined = |stack: &[String]| stack.iter().map(|name| named(&name.replace(';', ","))).collect::<Vec<_>>().join(";");
    summary
        .stacks
        .iter()
        .filter(|(_, cycles)| **cycles > 0)
        .map(|(stack, cycles)| format!("{} {cycles}", joined(stack)))
        .collect()
}

/// A name fit for a narrow box: the last two parts of its path, and of the paths within angle brackets the last.
pub fn short(name: &str) -> String {
    let (mut parts, mut depth) = (vec![String::new()], 0u32);
    let mut rest = name.chars().peekable();
    let mut last = ' ';
    while let Some(character) = rest.next() {
        let part = parts.last_mut().expect("there is always a part"); // the vector begins with one and only grows
        match character {
            ':' if rest.peek() == Some(&':') => {
                rest.next();
                if depth == 0 {
                    parts.push(String::new());
                } else if last == '>' {
                    part.push_str("::");
                } else {
                    let path = part.rfind(|character: char| !character.is_alphanumeric() && character != '_');
                    part.truncate(path.map_or(0, |at| at + 1));
                }
            }
            '<' | '(' | '[' | '{' => {
                depth += 1;
                part.push(character);
            }
            '>' | ')' | ']' | '}' if last != '-' => {
                depth = depth.saturating_sub(1);
                part.push(character);
            }
            _ => part.push(character),
        }
        last = character;
    }
    // An implementation for a type is known by the type.
    let plain = |part: &String| match part.strip_prefix("<impl ").and_then(|part| part.strip_suffix('>')) {
        Some(of) if !of.contains(" for ") => of.to_owned(),
        _ => part.clone(),
    };
    parts.iter().skip(parts.len().saturating_sub(2)).map(plain).collect::<Vec<_>>().join("::")
}

/// The flame graph as an SVG; the same profile gives the same bytes.
///
/// # Errors
/// There is nothing to draw.
pub fn flame_graph(summary: &Summary, title: &str, subtitle: &str) -> std::io::Result<Vec<u8>> {
    let mut options = Options::default();
    options.title = title.into();
    options.subtitle = Some(subtitle.into());
    options.count_name = "cycles".into();
    options.name_type = "Function:".into();
    options.colors = Palette::Basic(flamegraph::color::BasicPalette::Hot);
    options.deterministic = true;
    options.hash = true;
    options.image_width = Some(1400);
    options.min_width = 0.05;
    options.text_truncate_direction = TextTruncateDirection::Left;
    let mut lines: Vec<String> = folded(summary, short);
    lines.sort();
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_keep_what_tells_functions_apart() {
        for (name, expected) in [
            ("main", "main"),
            ("fathom::kernels::int8::matmul", "int8::matmul"),
            ("fathom::forward::<impl fathom::session::Session<P>>::forward", "Session<P>::forward"),
            ("<core::slice::iter::Iter<T> as core::iter::traits::Iterator>::fold", "<Iter<T> as Iterator>::fold"),
            ("<A as a::B<<C as c::D>::E>>::f", "<A as B<<C as D>::E>>::f"),
            ("f::call<fn(a::B) -> c::D>", "f::call<fn(B) -> D>"),
            ("[SysTick]", "[SysTick]"),
            ("a::", "a::"),
            (":::<><<", ":::<><<"),
        ] {
            assert_eq!(short(name), expected);
        }
    }
}
