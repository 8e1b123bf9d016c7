//! SSML, as far as it must be right to be spoken.

/// The words of SSML. Elements must be balanced and `speak` must be around all of it; entities are those of XML.
pub(super) fn said(ssml: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut closed_all = false;
    let mut rest = ssml.trim();
    while let Some(at) = rest.find('<') {
        let (words, markup) = rest.split_at(at);
        push_words(&mut text, words, &open)?;
        let end = markup
            .find('>')
            .ok_or("a `<` stands without its `>`; write &lt; for the character")?;
        let tag = markup.get(1..end).unwrap_or_default();
        rest = markup.get(end + 1..).unwrap_or_default();
        if closed_all {
            return Err("something stands behind </speak>".to_owned());
        }
        if let Some(name) = tag.strip_prefix('/') {
            let name = name.trim();
            match open.pop() {
                Some(opened) if opened == name => closed_all = open.is_empty(),
                Some(opened) => {
                    return Err(format!("</{name}> stands where </{opened}> is expected"));
                }
                None => return Err(format!("</{name}> has no beginning")),
            }
        } else if !tag.starts_with(['!', '?']) {
            let name = tag
                .trim_end_matches('/')
                .split_whitespace()
                .next()
                .unwrap_or_default();
            if open.is_empty() && name != "speak" {
                return Err("must begin with <speak>".to_owned());
            }
            if !tag.ends_with('/') {
                open.push(name);
            }
            text.push(' ');
        }
    }
    push_words(&mut text, rest, &open)?;
    if let Some(opened) = open.last() {
        return Err(format!("<{opened}> is not closed"));
    }
    if !closed_all {
        return Err("must be of the form <speak>…</speak>".to_owned());
    }
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn push_words(text: &mut String, words: &str, open: &[&str]) -> Result<(), String> {
    if words.trim().is_empty() {
        text.push(' ');
        return Ok(());
    }
    if open.is_empty() {
        return Err("words stand outside <speak>…</speak>".to_owned());
    }
    let mut rest = words;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        text.push_str(before);
        let end = entity.find(';').ok_or("an `&` stands alone; write &amp;")?;
        let name = entity.get(1..end).unwrap_or_default();
        let character = match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => number
                .strip_prefix("#x")
                .map(|hex| u32::from_str_radix(hex, 16))
                .or_else(|| number.strip_prefix('#').map(str::parse))
                .and_then(Result::ok)
                .and_then(char::from_u32)
                .ok_or_else(|| format!("&{name}; is no entity of XML; write &amp; for `&`"))?,
        };
        text.push(character);
        rest = entity.get(end + 1..).unwrap_or_default();
    }
    text.push_str(rest);
    Ok(())
}
