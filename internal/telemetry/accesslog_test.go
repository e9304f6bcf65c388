package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// answered is an exchange with every field set.
func answered() *Exchange {
	x := exchange(platform(), "GET", "cluster.example.com", "/app/x?page=2&access_token=s3cret&y", 200)
	x.Start = time.Date(2026, 11, 24, 3, 4, 5, 6e6, time.UTC)
	x.Duration, x.Wait = 1234*time.Millisecond, 1200*time.Millisecond
	x.UserAgent, x.Referer, x.RequestID, x.Forwarded = `curl/8 "quoted"`, "https://other.example/cb?code=s3cret", "abc", "203.0.113.9"
	x.Received, x.Sent = 12, 345
	x.Endpoint, x.UpstreamStatus, x.Attempts = "127.0.0.1:1", 200, 2
	return x
}

func refused() *Exchange {
	x := exchange(platform(), "GET", "cluster.example.com", "/ghost/", 0)
	x.Start = time.Date(2026, 11, 24, 3, 4, 5, 6e6, time.UTC)
	return x
}

func TestTextIsTheLineOfIngressNGINX(t *testing.T) {
	for _, c := range []struct {
		x    *Exchange
		want string
	}{
		{answered(), `192.0.2.1 - - [24/Nov/2026:03:04:05 +0000] "GET /app/x?page=2&access_token=REDACTED&y HTTP/1.1" 200 345 ` +
			`"https://other.example/cb" "curl/8 \x22quoted\x22" 12 1.234 [istio-system-gw-80] [] 127.0.0.1:1 345 1.200 200 abc -` + "\n"},
		{refused(), `192.0.2.1 - - [24/Nov/2026:03:04:05 +0000] "GET /ghost/ HTTP/1.1" 503 0 "-" "-" 0 0.003 [istio-system-gw-80] [] - - - - - NC ` +
			`"no Service ghost in namespace shop" "VirtualService shop/app-vs spec.http[0] (vs.yaml:3)"` + "\n"},
		{&Exchange{Listener: plan.Edge, Start: answered().Start, Status: 400, Flags: ClientProtocol, Reason: "two Content-Lengths", Wait: -1},
			`- - - [24/Nov/2026:03:04:05 +0000] "" 400 0 "-" "-" 0 0.000 [] [] - - - - - DPE "two Content-Lengths" "-"` + "\n"},
	} {
		if got := string(appendText(nil, c.x)); got != c.want {
			t.Errorf("got  %swant %s", got, c.want)
		}
	}
}

func TestJSONFields(t *testing.T) {
	for _, c := range []struct {
		x    *Exchange
		want string
	}{
		{answered(), `{"start_time":"2026-11-24T03:04:05.006Z","method":"GET","path":"/app/x?page=2&access_token=REDACTED&y","protocol":"HTTP/1.1",` +
			`"authority":"cluster.example.com","response_code":200,"response_flags":"-","bytes_received":12,"bytes_sent":345,"duration":1234,` +
			`"upstream_service_time":1200,"upstream_host":"127.0.0.1:1","attempts":2,"upstream_cluster":"outbound|80||app.shop.svc.cluster.local",` +
			`"downstream_remote_address":"192.0.2.1:4000","x_forwarded_for":"203.0.113.9","user_agent":"curl/8 \"quoted\"",` +
			`"referer":"https://other.example/cb","request_id":"abc","listener":"edge","route_name":"VirtualService shop/app-vs spec.http[0] (vs.yaml:3)"}` + "\n"},
		{refused(), `{"start_time":"2026-11-24T03:04:05.006Z","method":"GET","path":"/ghost/","protocol":"HTTP/1.1","authority":"cluster.example.com",` +
			`"response_code":503,"response_flags":"NC","response_code_details":"no Service ghost in namespace shop","bytes_received":0,"bytes_sent":0,"duration":3,` +
			`"downstream_remote_address":"192.0.2.1:4000","listener":"edge","route_name":"VirtualService shop/app-vs spec.http[0] (vs.yaml:3)"}` + "\n"},
	} {
		if got := string(appendJSON(nil, c.x)); got != c.want {
			t.Errorf("got  %swant %s", got, c.want)
		}
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	for _, c := range []struct{ target, want string }{
		{"/x", "/x"},
		{"/x?", "/x?"},
		{"/x?a=1&b=2", "/x?a=1&b=2"},
		{"/cb?code=abc&state=def&session_state=1", "/cb?code=REDACTED&state=REDACTED&session_state=1"},
		{"/o?X-Amz-Signature=abc&X-Amz-Date=1", "/o?X-Amz-Signature=REDACTED&X-Amz-Date=1"},
		{"/o?access%5Ftoken=abc", "/o?access%5Ftoken=REDACTED"},
		{"/o?ACCESS_TOKEN=abc&ACCESS_TOKEN=d", "/o?ACCESS_TOKEN=REDACTED&ACCESS_TOKEN=REDACTED"},
		{"/o?token[]=abc&token=", "/o?token[]=REDACTED&token="},
		{"/o?tokens=5&monkey=1", "/o?tokens=5&monkey=1"},
		{"/o?k=dwk_" + strings.Repeat("A", 52) + "&q=dwk_", "/o?k=REDACTED&q=dwk_"},
		{"/o?a=b?token=x&%zz=1&" + strings.Repeat("n", 50) + "=1", "/o?a=b?token=x&%zz=1&" + strings.Repeat("n", 50) + "=1"},
	} {
		if got := string(appendTarget(nil, c.target, appendEscaped)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.target, got, c.want)
		}
	}
}

// A client must not be able to write lines or fields of its own.
func FuzzOneExchangeIsOneLine(f *testing.F) {
	f.Add("GET", "/a?token=b", "agent", "h")
	f.Add("GET\n", "/a\r\n\"", "\xff\xfe\u2028\\", "\x00\x7f")
	f.Fuzz(func(t *testing.T, method, target, agent, host string) {
		x := answered()
		x.Method, x.Target, x.UserAgent, x.Host, x.Referer, x.RequestID, x.Reason = method, target, agent, host, agent, agent, agent
		line := appendJSON(nil, x)
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil || bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("not one JSON object on one line: %v\n%s", err, line)
		}
		if fields["response_code"] != 200.0 || fields["listener"] != "edge" {
			t.Errorf("fields were overwritten: %s", line)
		}
		text := appendText(nil, x)
		for _, c := range text[:len(text)-1] {
			if c < 0x20 || c > 0x7e {
				t.Fatalf("text holds the byte %#x: %q", c, text)
			}
		}
		quotes := 6
		if agent != "" {
			quotes = 10 // and those of reason and rule
		}
		if got := bytes.Count(text, []byte(`"`)); got != quotes {
			t.Errorf("%d quotes, want %d: %s", got, quotes, text)
		}
		if _, rest, _ := bytes.Cut(text, []byte(" 1.200 200 ")); bytes.IndexByte(rest, ' ') != max(len(strings.ReplaceAll(string(appendEscaped(nil, agent)), " ", `\x20`)), 1) {
			t.Errorf("the request id is not one field: %s", text)
		}
	})
}

// slow is a writer that waits for leave before each write.
type slow struct {
	mu    sync.Mutex
	got   bytes.Buffer
	leave chan struct{}
	err   error
}

func (w *slow) Write(p []byte) (int, error) {
	<-w.leave
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got.Write(p)
	return len(p), w.err
}

func TestCloseWritesEveryLine(t *testing.T) {
	w := &slow{leave: make(chan struct{})}
	close(w.leave)
	l := NewAccessLog(Text, w)
	const each, workers = 2000, 4
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			x := answered()
			for range each {
				l.Record(x)
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(w.got.Bytes(), []byte("\n")); got != each*workers || l.Dropped() != 0 {
		t.Errorf("%d lines written and %d dropped, want %d and none", got, l.Dropped(), each*workers)
	}
	l.Record(answered())
	if l.Dropped() != 1 {
		t.Error("a line after Close is not counted as dropped")
	}
}

func TestAStuckWriterStopsNobody(t *testing.T) {
	w := &slow{leave: make(chan struct{})}
	l := NewAccessLog(JSON, w)
	x := answered()
	x.UserAgent = strings.Repeat("a", 32<<10)
	for range 2 * maxBehind / len(x.UserAgent) { // would never end if Record waited
		l.Record(x)
	}
	if l.Dropped() == 0 {
		t.Error("nothing was dropped, though nobody reads")
	}
	w.err = errors.New("disk full")
	close(w.leave)
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("Close: got %v, want the writer's error", err)
	}
	if w.got.Len() > 3*maxBehind {
		t.Errorf("%d bytes were kept for a writer that was stuck", w.got.Len())
	}
}

func TestParseForm(t *testing.T) {
	for s, want := range map[string]Form{"off": Off, "text": Text, "json": JSON} {
		if got, err := ParseForm(s); got != want || err != nil {
			t.Errorf("%s: got %v, %v", s, got, err)
		}
	}
	if _, err := ParseForm("xml"); err == nil || !strings.Contains(err.Error(), "off, json or text") {
		t.Errorf("xml: got %v, want the forms that there are", err)
	}
	l := NewAccessLog(Off, nil)
	l.Record(answered())
	if err := l.Close(); err != nil || l.Enabled() || l.Dropped() != 0 {
		t.Error("a log that is off does something")
	}
}

func TestFlagsString(t *testing.T) {
	for f, want := range map[Flags]string{0: "-", NoRoute: "NR", NoHealthyUpstream: "UH", UnauthorizedByService: "UAEX", UpstreamFailure | RetriesExceeded: "UF,URX"} {
		if got := f.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for f, want := range map[plan.Failure]string{plan.ConnectFailure: "UF", plan.ConnectTimeout: "UF", plan.Reset: "UC", plan.Overflow: "UO", plan.BadResponse: "UPE",
		plan.Timeout: "UT", plan.NoneHealthy: "UH", plan.HeaderTooBig: "UPE", plan.ClientGone: "DC"} {
		if got := FlagsOf(f).String(); got != want {
			t.Errorf("%s: got %s, want %s", f, got, want)
		}
	}
}

func BenchmarkAccessLogText(b *testing.B) { benchmarkLog(b, Text) }
func BenchmarkAccessLogJSON(b *testing.B) { benchmarkLog(b, JSON) }

func benchmarkLog(b *testing.B, form Form) {
	l := NewAccessLog(form, discard{})
	defer l.Close()
	x := answered()
	b.ReportAllocs()
	for b.Loop() {
		l.Record(x)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
