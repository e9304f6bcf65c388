package scaffold

// Preset is an application that people run, with what it needs.
type Preset struct {
	Name  string
	About string
	// Streams says that answers come bit by bit for as long as they last.
	Streams  bool
	workload func(*App) *workload
}

// Presets are those that doorward new knows.
func Presets() []*Preset { return nil }

// PresetOf finds a preset; nil if there is none of that name.
func PresetOf(name string) *Preset {
	for _, p := range Presets() {
		if p.Name == name {
			return p
		}
	}
	return nil
}
