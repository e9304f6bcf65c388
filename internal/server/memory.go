package server

// ballast is memory that is never touched, and so takes none, but counts as in
// use: the heap grows by as much before it is collected. Otherwise a plan of a
// few megabytes would be marked again many times a second under load.
type ballast []byte

const ballastSize = 24 << 20

func newBallast() ballast { return make(ballast, ballastSize) }
