package demo

// myapp is the guide's example. It is reached in two forms: under the prefix
// that it was configured with, and under one that a header tells.
func myapp() *application {
	return &application{
		Name: "myapp", Prefix: "/myapp", Page: page(""),
		About: "The platform guide's example: the prefix is gone from the path, and every link still works.",
	}
}
