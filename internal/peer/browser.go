package peer

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience bounds each step of a Browser: a machine may be busy.
const patience = 20 * time.Second

// Browser is a real Chromium without a window, with an empty profile. It takes self-signed
// certificates, and knows that *.localhost is this machine.
type Browser struct{ ctx context.Context }

// StartBrowser starts a Chromium that ends with the test.
func StartBrowser(t testing.TB) *Browser {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(Path(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.WSURLReadTimeout(patience))
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return &Browser{ctx}
}

// do carries out one step within patience.
func do[T any](t testing.TB, b *Browser, what string, a chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatalf("browser: %s: %v\nat %s", what, err, b.seen())
	}
	return v
}

// seen is where the browser is and what it shows, for messages.
func (b *Browser) seen() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	return text
}

// Open opens a page as if its address was typed in, and waits until it is there.
func (b *Browser) Open(t testing.TB, url string) {
	t.Helper()
	do(t, b, "open "+url, chromedp.Navigate(url))
}

// Fill types text into the empty field of an id.
func (b *Browser) Fill(t testing.TB, id, text string) {
	t.Helper()
	field := chromedp.ID(id)
	do(t, b, "fill "+id, chromedp.Steps(chromedp.WaitVisible(field), chromedp.SendKeys(field, text)))
}

// Click clicks on what a CSS selector names.
func (b *Browser) Click(t testing.TB, selector string) {
	t.Helper()
	do(t, b, "click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Until waits until a JavaScript expression is true on the page, whatever page that is by then.
func (b *Browser) Until(t testing.TB, expression string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		cancel()
		if err == nil && is {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("browser: %s does not become true (%v)\nat %s", expression, err, b.seen())
		}
		time.Sleep(50 * time.Millisecond) // between questions to another process
	}
}

// Eval returns the text that a JavaScript expression, or its promise, comes to.
func (b *Browser) Eval(t testing.TB, expression string) string {
	t.Helper()
	return do(t, b, expression, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
}

// Screen gives the page a size, in pixels, and dark or light colours.
func (b *Browser) Screen(t testing.TB, width, height int64, dark bool) {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	do(t, b, "size", chromedp.EmulateViewport(width, height))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
}

// Screenshot writes what the page looks like, as name.png in the folder that DOORWARD_SCREENSHOTS
// names, for people to look at. Without it nothing is written.
func (b *Browser) Screenshot(t testing.TB, name string) {
	t.Helper()
	dir := os.Getenv("DOORWARD_SCREENSHOTS")
	if dir == "" {
		return
	}
	png := do(t, b, "screenshot", chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}
