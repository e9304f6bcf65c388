package compile

func (c *compiler) readIngresses() {}
