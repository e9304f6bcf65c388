package server

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/statefile"
	"github.com/doorward/doorward/internal/telemetry"
)

// keyWatch is what is remembered of API keys: wrong ones by source, and when good ones
// were last used.
type keyWatch struct {
	apikey.Limiter
	apikey.Uses
}

// restoreUses reads when keys were last used, maybe in an earlier process.
func (s *Server) restoreUses() {
	if s.o.State == "" {
		return
	}
	data, err := os.ReadFile(filepath.Join(s.o.State, apikey.UsesFile))
	if err == nil {
		err = json.Unmarshal(data, &s.keys.Uses)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("when API keys were last used cannot be read; it is noted anew", "error", err)
	}
}

// keepUses writes it once a minute, where something has changed.
func (s *Server) keepUses(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			s.writeUses()
		}
	}
}

func (s *Server) writeUses() {
	if s.o.State == "" || !s.keys.Changed() {
		return
	}
	data, _ := json.Marshal(&s.keys.Uses) // of texts and times
	if err := statefile.Write(filepath.Join(s.o.State, apikey.UsesFile), append(data, '\n')); err != nil {
		s.log.Warn("when API keys were last used cannot be kept", "error", err)
	}
}

// addKeys tells when the keys of the plan in force were last used.
func (s *Server) addKeys(r *telemetry.Registry) {
	r.Gauge("doorward_apikey_last_used_timestamp_seconds", "When an API key was last used, to the minute.", []string{"set", "key"}, func(add func(telemetry.Sample)) {
		p := s.plan.Load()
		if p == nil {
			return
		}
		seen := map[*plan.APIKey]bool{}
		for _, l := range p.Listeners() {
			for _, g := range l.Guards {
				if g, ok := g.(*plan.APIKeys); ok {
					s.addRing(g.Ring, seen, add)
				}
			}
		}
	})
}

func (s *Server) addRing(ring *plan.KeyRing, seen map[*plan.APIKey]bool, add func(telemetry.Sample)) {
	for _, k := range ring.All() {
		if seen[k] {
			continue
		}
		seen[k] = true
		var last time.Time
		for _, d := range k.Digests {
			if at := s.keys.Last(d); at.After(last) {
				last = at
			}
		}
		if !last.IsZero() {
			add(sample(float64(last.Unix()), k.Origin.Ref.Namespace+"/"+k.Origin.Ref.Name, k.Name))
		}
	}
}
