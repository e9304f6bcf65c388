//go:build e2e

package proxy

import (
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/doorward/doorward/internal/peer"
)

// excused are the cases of h2spec that Doorward does not pass; docs/http2.md says
// why.
var excused = []string{
	"http2/6.5.3 Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE",
	"http2/8.1.2.2 Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\"",
	"http2/8.1.2.2 Sends a HEADERS frame that contains the connection-specific header field",
}

// excusedPlain is one more on a socket that speaks HTTP/1.1 too.
const excusedPlain = "http2/3.5 Sends invalid connection preface"

func TestE2EH2Spec(t *testing.T) {
	h2spec := peer.Path(t, "h2spec")
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello")
	})
	g := gateway(to(backend("up", up)))
	secure := secureGateway(t, "localhost", to(backend("up", up)))
	secure.Key = "istio-system/gateway:443"
	secure.Chains[0].Names = []string{"*"}
	r := newRig(t, gatewayKey, nil, g, secure)
	for _, c := range []struct {
		name, addr string
		args       []string
		want       []string
	}{
		{"TLS", r.listen(secure.Key, TLS), []string{"-t", "-k"}, excused},
		{"plain", r.addr, nil, append([]string{excusedPlain}, excused...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, port, err := net.SplitHostPort(c.addr)
			if err != nil {
				t.Fatal(err)
			}
			report := filepath.Join(t.TempDir(), "report.xml")
			cmd := exec.CommandContext(t.Context(), h2spec, append(c.args, "-h", "127.0.0.1", "-p", port, "-j", report)...)
			out, _ := cmd.CombinedOutput() // its status tells of any failure
			total, failed := readReport(t, report)
			slices.Sort(failed)
			if total != 145 || !slices.Equal(failed, c.want) {
				t.Errorf("%d cases, failed %q, want %q\n%s", total, failed, c.want, out)
			}
		})
	}
}

// readReport reads a JUnit report: how many cases there are, and which failed.
func readReport(t *testing.T, file string) (total int, failed []string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Suites []struct {
			Cases []struct {
				Package string    `xml:"package,attr"`
				Name    string    `xml:"classname,attr"`
				Error   *struct{} `xml:"error"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b, &report); err != nil {
		t.Fatal(err)
	}
	for _, s := range report.Suites {
		for _, c := range s.Cases {
			total++
			if c.Error != nil || c.Failure != nil || c.Skipped != nil {
				failed = append(failed, c.Package+" "+c.Name)
			}
		}
	}
	return total, failed
}
