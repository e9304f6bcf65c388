package apikey

import (
	"strings"
	"testing"
)

// zero is the key of 32 zero bytes, whose hash printf %s KEY | sha256sum tells.
const (
	zero     = "dwk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	zeroHash = "sha256:0728ff481d2a4266986d71e4b843447113b1e38f5e0fb58e6eb3e3b4d91a2d52"
)

func TestKey(t *testing.T) {
	if got := New([32]byte{}); got != zero {
		t.Errorf("New: got %s, want %s", got, zero)
	}
	if got := Of(zero).String(); got != zeroHash {
		t.Errorf("Of: got %s, want %s", got, zeroHash)
	}
	if a, b := New([32]byte{31: 1}), New([32]byte{0: 128}); a == zero || b == zero || a == b {
		t.Errorf("different bytes give %s and %s", a, b)
	}
}

func TestOtherFormsAreNoKeys(t *testing.T) {
	for _, text := range []string{"", "dwk_", zero[:len(zero)-1], zero + "A", strings.ToLower(zero), "DWK_" + zero[4:], " " + zero[1:],
		zero[:10] + "1" + zero[11:], zero[:10] + "=" + zero[11:], zero[:10] + "\x00" + zero[11:], "dwk-" + zero[4:], zero[:8] + "é" + zero[10:]} {
		if IsKey(text) || Of(text) != (Digest{}) {
			t.Errorf("%q is taken for a key", text)
		}
	}
}

func TestReadDigests(t *testing.T) {
	other := "sha256:" + strings.Repeat("0f", 32)
	for _, c := range []struct {
		entry string
		want  int
		err   string
	}{
		{zeroHash, 1, ""},
		{zeroHash + "\n", 1, ""},
		{"\n " + zeroHash + "\r\n\n" + other, 2, ""},
		{"sha256:" + strings.Repeat("0F", 32), 1, ""},
		{"", 0, "it is empty"},
		{" \n\n", 0, "it is empty"},
		{zero, 0, "it holds a key itself, and only the hash of one may be there"},
		{zeroHash[7:], 0, `line 1 is no "sha256:" and 64 hexadecimal digits`},
		{zeroHash + "\nsha256:00", 0, `line 2 is no "sha256:" and 64 hexadecimal digits`},
		{"sha512:" + strings.Repeat("0f", 32), 0, `line 1 is no "sha256:" and 64 hexadecimal digits`},
		{zeroHash + " " + other, 0, `line 1 is no "sha256:" and 64 hexadecimal digits`},
		{strings.Repeat(zeroHash+"\n", maxDigests), maxDigests, ""},
		{strings.Repeat(zeroHash+"\n", maxDigests+1), 0, "it has more than 8 hashes"},
	} {
		got, err := ReadDigests([]byte(c.entry))
		said := ""
		if err != nil {
			said = err.Error()
		}
		if len(got) != c.want || said != c.err {
			t.Errorf("%q: got %d digests and %q, want %d and %q", c.entry, len(got), said, c.want, c.err)
		}
	}
}

func TestDigestOfAKeyAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Of(zero) }); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}

func FuzzKey(f *testing.F) {
	f.Add(zero)
	f.Add("Bearer " + zero)
	f.Add("dwk_")
	f.Fuzz(func(t *testing.T, text string) {
		key := IsKey(text)
		if (Of(text) != Digest{}) != key {
			t.Errorf("%q: IsKey is %v, and Of disagrees", text, key)
		}
		if key && (!strings.HasPrefix(text, Prefix) || strings.ContainsAny(text, " \r\n:,;\"")) {
			t.Errorf("%q is taken for a key", text)
		}
	})
}

func FuzzReadDigests(f *testing.F) {
	f.Add([]byte(zeroHash))
	f.Add([]byte(zeroHash + "\r\n\n" + zeroHash))
	f.Add([]byte(zero))
	f.Fuzz(func(t *testing.T, entry []byte) {
		digests, err := ReadDigests(entry)
		if err != nil {
			if len(digests) > 0 {
				t.Errorf("%q: %v, and digests", entry, err)
			}
			return
		}
		var again strings.Builder
		for _, d := range digests {
			again.WriteString(d.String() + "\n")
		}
		second, err := ReadDigests([]byte(again.String()))
		if err != nil || len(second) != len(digests) {
			t.Fatalf("%q: what is written is not read: %v", entry, err)
		}
		for i := range digests {
			if digests[i] != second[i] {
				t.Errorf("%q: digest %d is %s, and %s when read again", entry, i, digests[i], second[i])
			}
		}
	})
}
