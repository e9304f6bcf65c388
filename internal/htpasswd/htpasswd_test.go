package htpasswd

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// The hashes are those of openssl passwd, htpasswd and slappasswd.
func TestMatch(t *testing.T) {
	const long = "a much longer password than sixteen bytes"
	for _, c := range []struct{ hash, password string }{
		{"$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0", "secret"},
		{"$apr1$ab$ZgbyBttfAvWjwKDroS41O1", long},
		{"$1$saltsalt$9xy1btjgzLYfb7hivXtC//", "secret"},
		{"$1$ab$ZTj46kRB5W/DcsgaphZJd/", long},
		{"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"},
		{"{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "secret"},
		{"{PLAIN}secret", "secret"},
		{"$2y$04$PMN//CulJHe.xQoPfnPPfeUja1rHsTFU2Kn/L/j/0cioYz.K.LQWW", "secret"},
	} {
		if !Match(c.hash, c.password) || Match(c.hash, c.password+"x") {
			t.Errorf("%s: %q must fit, and nothing else", c.hash, c.password)
		}
	}
	for _, hash := range []string{"", "secret", "$", "$apr1$", "$2y$", "{SHA}", "{SSHA}AAAA", "$6$salt$x"} {
		if Match(hash, "secret") || Match(hash, "") {
			t.Errorf("%q fits", hash)
		}
	}
}

// A cost of hours is not paid.
func TestTooDear(t *testing.T) {
	const rest = "PMN//CulJHe.xQoPfnPPfeUja1rHsTFU2Kn/L/j/0cioYz.K.LQWW"
	for cost, want := range map[string]bool{"04": false, "17": false, "18": true, "31": true} {
		if hash := "$2y$" + cost + "$" + rest; tooDear(hash) != want || want && Match(hash, "secret") {
			t.Errorf("cost %s: too dear must be %v", cost, want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0", "secret")
	f.Add("{SSHA}AAAA", "")
	f.Add("$2y$04$PMN//CulJHe.xQoPfnPPfeUja1rHsTFU2Kn/L/j/0cioYz.K.LQWW", "secret")
	f.Fuzz(func(t *testing.T, hash, password string) {
		if strings.HasPrefix(hash, "$2") { // looks at 72 bytes alone; what is cheap must not panic
			if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost <= bcrypt.MinCost {
				Match(hash, password)
			}
			return
		}
		if Match(hash, password) && Match(hash, password+"x") {
			t.Errorf("%q fits two passwords", hash)
		}
	})
}
