class Commands: pass
class Strict: pass
