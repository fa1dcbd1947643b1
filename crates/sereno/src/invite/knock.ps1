$o = @{ step = '30'; length = '4'; range = '20000-60999'; delay = '50' }
Get-Content NAME.toml | ForEach-Object { if ($_ -match '^(\w+) = "?([^"]*)"?$') { $o[$Matches[1]] = $Matches[2] } }
$first, $last = [int[]]($o['range'] -split '-')
$mac = New-Object System.Security.Cryptography.HMACSHA256 (, [Convert]::FromBase64String($o['secret']))
$window = [long][Math]::Floor([DateTimeOffset]::UtcNow.ToUnixTimeSeconds() / [int]$o['step'])
$ports = @(); $block = 0; $length = [int]$o['length']
while ($ports.Count -lt $length) {
  $w = [BitConverter]::GetBytes($window); [Array]::Reverse($w)
  $b = [BitConverter]::GetBytes([int]$block); [Array]::Reverse($b); $block++
  $h = $mac.ComputeHash([byte[]]([Text.Encoding]::ASCII.GetBytes('sereno knock 1') + $w + $b))
  for ($i = 0; $i -lt 32 -and $ports.Count -lt $length; $i += 2) {
    $p = [int]($first + [Math]::Floor(($h[$i] * 256 + $h[$i + 1]) * ($last - $first + 1) / 65536))
    if ($ports -notcontains $p) { $ports += $p }
  }
}
foreach ($p in $ports) {
  $s = New-Object System.Net.Sockets.TcpClient; [void]$s.BeginConnect($o['host'], $p, $null, $null)
  Start-Sleep -Milliseconds ([Math]::Max(200, [int]$o['delay'])); $s.Close()
}
