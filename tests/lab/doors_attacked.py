class Scans: pass
class Floods: pass
