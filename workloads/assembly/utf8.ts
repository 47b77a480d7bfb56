/** Whether bytes are UTF-8: no overlong forms, no halves of surrogate pairs, nothing above U+10FFFF. */

export function isUtf8(from: u32, to: u32): bool {
  let at = from;
  while (at < to) {
    const first = <u32>load<u8>(at);
    if (first < 0x80) {
      at++;
    } else if (first < 0xc2) {
      return false;
    } else if (first < 0xe0) {
      if (at + 2 > to || !continues(at + 1)) return false;
      at += 2;
    } else if (first < 0xf0) {
      if (at + 3 > to || !continues(at + 1) || !continues(at + 2)) return false;
      const second = <u32>load<u8>(at + 1);
      if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0)) return false;
      at += 3;
    } else {
      if (first > 0xf4 || at + 4 > to || !continues(at + 1) || !continues(at + 2) || !continues(at + 3)) return false;
      const second = <u32>load<u8>(at + 1);
      if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) return false;
      at += 4;
    }
  }
  return true;
}

function continues(at: u32): bool {
  return (load<u8>(at) & 0xc0) == 0x80;
}
