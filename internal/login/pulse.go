package login

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// pulseGood is how long a provider that has answered counts as there, pulseBad how long one
	// that has not counts as away.
	pulseGood, pulseBad = 10 * time.Second, 2 * time.Second
	// pulseWait is how long it may take to answer.
	pulseWait = 3 * time.Second
)

// pulse is whether the provider is there, so that nobody is sent to one that is not: the page
// that they would see then is not ours.
type pulse struct {
	mu  sync.Mutex // held while the provider is asked: one request at a time
	at  time.Time
	err error
}

// beat notes that the provider has answered.
func (p *pulse) beat(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.err = now, nil
}

// there tells whether the provider answers, as of lately.
func (s *site) there() error {
	p := &s.pulse
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := pulseGood
	if p.err != nil {
		keep = pulseBad
	}
	if now := s.m.o.Now(); p.at.IsZero() || now.Sub(p.at) >= keep {
		p.err = s.ask()
		p.at = s.m.o.Now()
	}
	return p.err
}

// ask asks for the discovery document, which every provider has ready.
func (s *site) ask() error {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(s.ctx, s.client), pulseWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.config.Load().Issuer, "/")+"/.well-known/openid-configuration", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("its discovery answers with %s", resp.Status)
	}
	return nil
}
